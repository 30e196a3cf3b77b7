//! The fast way from a line to items: one walk over the bytes, no tape.
//!
//! Nearly all lines of a source are alike, so the walk predicts each key from the one before and compares instead of
//! parsing. It takes only what it can vouch for; for anything else (an error of any kind, control characters, a large
//! number, a rare escape, an unknown class) it gives up and the line goes the long way, `simd_json` and `walk`, which
//! decides what the line is. So the two may differ in one thing only, the time they take; a property test holds them
//! to it.

use super::columns::{Column, ObjectColumn, UNKNOWN, Values};
use super::item::{Item, Piece, Roles, Said};
use super::table::Scratch;
use super::token::{self, Number, string_end};
use super::walk::MAX_ELEMENTS;

/// Nesting that is taken; below what `Options` allows.
const DEPTH: usize = 24;
/// Members that a nested object without a column may have; finding twins compares all pairs.
const FEW_KEYS: usize = 24;

/// Which object the walk is in, for what of it says what the line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Metadata,
    Elsewhere,
}

pub(super) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    roles: Roles,
    pub(super) said: Said,
    items: &'a mut Vec<Item>,
    /// Names without a column in the objects that are open.
    keys: &'a mut Vec<Piece>,
    unescaped: &'a mut String,
    /// Counts the typed objects of all lines, together with `walk`.
    visits: &'a mut u64,
    elements_left: usize,
    depth: usize,
    is_loose: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, roles: Roles, scratch: &'a mut Scratch) -> Self {
        let Scratch { visits, items, pieces, text: unescaped, .. } = scratch;
        items.clear();
        pieces.clear();
        Scan {
            text,
            bytes: text.as_bytes(),
            at: 0,
            roles,
            said: Said::default(),
            items,
            keys: pieces,
            unescaped,
            visits,
            elements_left: MAX_ELEMENTS,
            depth: 0,
            is_loose: false,
        }
    }

    /// Reads the line whole; none when it has to go the long way.
    pub(super) fn line(&mut self, root: &mut ObjectColumn) -> Option<()> {
        // Pieces are of 32 bits.
        u32::try_from(self.bytes.len()).ok()?;
        self.expect(b'{')?;
        self.object(root, Place::Root)?;
        (self.at == self.bytes.len()).then_some(())
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.is_loose = true;
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// After a member or element: true when another one follows, false when the bracket closes.
    #[inline]
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        self.skip_blanks();
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        match byte {
            b',' => {
                self.skip_blanks();
                Some(true)
            }
            _ => (byte == close).then_some(false),
        }
    }

    /// Before the first one: true when there is one.
    #[inline]
    fn begins(&mut self, close: u8) -> Option<bool> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        self.skip_blanks();
        Some(self.expect(close).is_none())
    }

    /// The members of a typed object, its opening bracket read.
    fn object(&mut self, column: &mut ObjectColumn, place: Place) -> Option<()> {
        *self.visits += 1;
        let visit = *self.visits;
        let open = self.keys.len();
        let mut previous = 0;
        let mut more = self.begins(b'}')?;
        while more {
            self.expect(b'"')?;
            let attribute = match column.order.predicted(self.bytes, self.at, previous) {
                Some((attribute, end)) => {
                    self.at = end + 1;
                    attribute
                }
                None => {
                    let key = self.key()?;
                    let attribute = column.order.look_up(&column.object, key.of(self.text), previous);
                    if attribute == UNKNOWN {
                        self.items.push(Item::Unknown(key));
                        self.keys.push(key);
                    }
                    attribute
                }
            };
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            if attribute == UNKNOWN {
                self.unknown()?;
            } else {
                if !column.order.mark(attribute, visit) {
                    return None;
                }
                previous = usize::from(attribute) + 1;
                self.member(attribute, &mut column.members[usize::from(attribute)], place)?;
            }
            more = self.goes_on(b'}')?;
        }
        self.close(open)?;
        self.items.push(Item::End);
        Some(())
    }

    /// A key without escapes, its opening quote read; the place is after its closing one then.
    #[inline]
    fn key(&mut self) -> Option<Piece> {
        let (end, is_escaped) = string_end(self.bytes, self.at)?;
        if is_escaped {
            return None;
        }
        let key = Piece { start: self.at as u32, end: end as u32 };
        self.at = end + 1;
        Some(key)
    }

    /// The value of an attribute without a column, its name read and put down. An explicit null counts as absent.
    fn unknown(&mut self) -> Option<()> {
        if self.is_null() {
            self.items.pop();
            self.at += 4;
            return Some(());
        }
        self.json()
    }

    #[inline]
    fn member(&mut self, attribute: u16, column: &mut Column, place: Place) -> Option<()> {
        if self.bytes.get(self.at) == Some(&b'n') {
            return self.is_null().then(|| self.at += 4);
        }
        self.items.push(Item::Member(attribute));
        let inner = match place {
            Place::Root if attribute == self.roles.metadata => Place::Metadata,
            _ => Place::Elsewhere,
        };
        let item = self.items.len();
        self.value(column, inner)?;
        if place != Place::Elsewhere { self.note(attribute, item, place) } else { Some(()) }
    }

    /// Remembers what a member says of the line; none when it says it in a way that needs a closer look.
    fn note(&mut self, attribute: u16, at: usize, place: Place) -> Option<()> {
        let (roles, item) = (self.roles, self.items[at]);
        let text = |item| if let Item::Text(piece) = item { Some(piece) } else { None };
        let long = |item| if let Item::Long(value) = item { Some(value) } else { None };
        match place {
            Place::Metadata if attribute == roles.metadata_uid => self.said.metadata_uid = Some(self.uid(at)?),
            Place::Root if attribute == roles.class_uid => self.said.class_uid = Some(long(item)?),
            Place::Root if attribute == roles.time => self.said.time = Some(long(item)?),
            Place::Root if attribute == roles.class_name => self.said.class_name = Some(text(item)?),
            Place::Root if attribute == roles.category_uid => self.said.category_uid = Some(long(item)?),
            Place::Root if attribute == roles.id => self.said.id = Some(self.uid(at)?),
            _ => {}
        }
        Some(())
    }

    /// The id that is at an item, if it is a text without escapes or an integer.
    #[inline]
    fn uid(&self, item: usize) -> Option<Piece> {
        match self.items[item] {
            Item::Text(piece) => Some(piece),
            Item::Misfit => match self.items[item + 1] {
                Item::Json(piece) => {
                    let digits = piece.of(self.text);
                    let is_whole =
                        matches!(token::number(digits, 0), Some((Number::Integer(_), end)) if end == digits.len());
                    is_whole.then_some(piece)
                }
                _ => None,
            },
            _ => None,
        }
    }

    #[inline]
    fn value(&mut self, column: &mut Column, place: Place) -> Option<()> {
        match (&mut column.values, *self.bytes.get(self.at)?) {
            (Values::Text(_), b'"') => {
                self.at += 1;
                let (end, is_escaped) = string_end(self.bytes, self.at)?;
                let piece = Piece { start: self.at as u32, end: end as u32 };
                if is_escaped {
                    // Placing cannot fail, so whether the escapes are sound is found out here.
                    self.unescaped.clear();
                    token::unescape(piece.of(self.text), self.unescaped)?;
                }
                self.items.push(if is_escaped { Item::Escaped(piece) } else { Item::Text(piece) });
                self.at = end + 1;
            }
            (Values::Object(object), b'{') => {
                self.at += 1;
                self.items.push(Item::Object);
                self.object(object, place)?;
                self.depth -= 1;
            }
            (Values::List(list), b'[') => {
                self.at += 1;
                let start = self.items.len();
                self.items.push(Item::Array(0));
                let mut count = 0;
                let mut more = self.begins(b']')?;
                while more {
                    if count == self.elements_left {
                        return None;
                    }
                    count += 1;
                    if self.is_null() {
                        self.items.push(Item::Null);
                        self.at += 4;
                    } else {
                        self.value(&mut list.element, Place::Elsewhere)?;
                    }
                    more = self.goes_on(b']')?;
                }
                // As many as the long way would have left, whose lists take theirs before those inside of them do.
                self.elements_left = self.elements_left.checked_sub(count)?;
                self.depth -= 1;
                self.items[start] = Item::Array(count as u32);
            }
            (Values::Json(_), _) => self.json()?,
            (Values::Long(_), b'-' | b'0'..=b'9') => match self.number()? {
                Number::Integer(value) => self.items.push(Item::Long(value)),
                Number::Double(_) => return None,
            },
            (Values::Time(_), b'-' | b'0'..=b'9') => match self.number()? {
                // Milliseconds come in, microseconds are stored.
                Number::Integer(value) => self.items.push(Item::Long(value.checked_mul(1000)?)),
                Number::Double(_) => return None,
            },
            (Values::Double(_), b'-' | b'0'..=b'9') => match self.number()? {
                Number::Integer(value) if value.unsigned_abs() <= 1 << 53 => {
                    self.items.push(Item::Double(value as f64))
                }
                Number::Integer(_) => return None,
                Number::Double(value) => self.items.push(Item::Double(value)),
            },
            (Values::Boolean(_), b't') => self.word("true", Item::Boolean(true))?,
            (Values::Boolean(_), b'f') => self.word("false", Item::Boolean(false))?,
            // Numbers where no number fits are rare; the list that comes where an object belongs is not.
            _ => {
                self.items.push(Item::Misfit);
                self.json()?;
            }
        }
        Some(())
    }

    fn number(&mut self) -> Option<Number> {
        let (number, end) = token::number(self.text, self.at)?;
        self.at = end;
        Some(number)
    }

    fn word(&mut self, word: &str, item: Item) -> Option<()> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            self.items.push(item);
        })
    }

    fn is_null(&self) -> bool {
        self.bytes[self.at..].starts_with(b"null")
    }

    /// Any value, to be kept as JSON text.
    fn json(&mut self) -> Option<()> {
        let start = self.at as u32;
        self.is_loose = false;
        self.skip()?;
        let piece = Piece { start, end: self.at as u32 };
        self.items.push(if self.is_loose { Item::Loose(piece) } else { Item::Json(piece) });
        Some(())
    }

    /// Goes over any value whose text can be kept as it is, blanks aside.
    fn skip(&mut self) -> Option<()> {
        match *self.bytes.get(self.at)? {
            b'"' => {
                self.at += 1;
                self.key().map(|_| ())
            }
            b'{' => {
                self.at += 1;
                let open = self.keys.len();
                let mut more = self.begins(b'}')?;
                while more {
                    self.expect(b'"')?;
                    let key = self.key()?;
                    self.keys.push(key);
                    self.skip_blanks();
                    self.expect(b':')?;
                    self.skip_blanks();
                    self.skip()?;
                    more = self.goes_on(b'}')?;
                }
                self.depth -= 1;
                self.close(open)
            }
            b'[' => {
                self.at += 1;
                let mut more = self.begins(b']')?;
                while more {
                    self.skip()?;
                    more = self.goes_on(b']')?;
                }
                self.depth -= 1;
                Some(())
            }
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b't' => self.pass("true"),
            b'f' => self.pass("false"),
            b'n' => self.pass("null"),
            _ => None,
        }
    }

    fn pass(&mut self, word: &str) -> Option<()> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Ends an object whose names without a column are those from `open` on; none when two are the same.
    #[inline]
    fn close(&mut self, open: usize) -> Option<()> {
        let keys = &self.keys[open..];
        if keys.len() > FEW_KEYS {
            return None;
        }
        for (place, key) in keys.iter().enumerate() {
            let length = key.end - key.start;
            let is_twin = |other: &Piece| other.end - other.start == length && other.of(self.text) == key.of(self.text);
            if keys[..place].iter().any(is_twin) {
                return None;
            }
        }
        self.keys.truncate(open);
        Some(())
    }
}
