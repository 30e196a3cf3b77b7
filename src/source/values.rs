//! JSON values that are spread over lines: arrays, API pages, bundles, and values one after another.
//!
//! The scanner knows brackets and strings and nothing else: what is between them is the decoder's business. It goes
//! over each byte once, in whatever pieces they come, and gives out
//!
//! * each element of an array, and of the list in a page: the `entries` of the audit-log API, the `Records` of a trail;
//! * each other value.
//!
//! Separators are taken as they come: a missing or a surplus comma loses nothing. A bracket that closes another kind of
//! bracket is the end: from there on nobody can say where an element begins.

use std::ops::Range;

use memchr::memchr2;

use super::envelope::LISTS;
use super::lines::Items;

/// Nesting beyond this counts as broken; the decoder's own limit is far below.
const DEEPEST: usize = 1 << 24;

/// Positions are those of the stream, so that a piece that was dropped shifts nothing.
#[derive(Debug)]
pub(super) struct Values {
    place: Place,
    item: Option<Item>,
    /// Open brackets of the item.
    stack: Vec<u8>,
    in_string: bool,
    /// A backslash was the last byte.
    is_escaped: bool,
    /// Everything before was scanned.
    seen: u64,
    /// Nothing can be told apart from here on.
    broken: Option<u64>,
    /// The text before the list of a page is at most as long as a line may be, wherever the bytes were cut.
    max_line_bytes: usize,
    /// Objects may be pages. They are not where the first one is an event.
    has_pages: bool,
    is_event: bool,
}

/// Where the scanner is while it is in no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Array,
    /// In the array of a page or bundle.
    Page,
    /// Behind that array, still in the object.
    Epilogue,
}

/// An element, or a value at the top.
#[derive(Debug)]
struct Item {
    start: u64,
    /// The next string at the first level is a key.
    expects_key: bool,
    key_start: Option<u64>,
    key: Key,
    is_event: bool,
}

/// The first-level keys that tell a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// One of [`LISTS`].
    List,
    ClassUid,
    Other,
}

/// A step of the scanner.
pub(super) enum Step {
    Item(Range<u64>),
    /// The end of an array or page.
    Closed {
        end: u64,
    },
    /// Nothing can be told apart from here on.
    Broken {
        at: u64,
    },
    /// All bytes were scanned.
    More,
}

/// How a scan ended.
pub(super) struct Scan {
    /// Bytes up to here are done with.
    pub cut: usize,
    /// The text after the cut cannot be split.
    pub is_broken: bool,
}

impl Values {
    pub fn new(at: u64, max_line_bytes: usize, has_pages: bool) -> Values {
        Values {
            place: Place::Top,
            item: None,
            stack: Vec::new(),
            in_string: false,
            is_escaped: false,
            seen: at,
            broken: None,
            max_line_bytes,
            has_pages,
            is_event: false,
        }
    }

    /// Whether an array or a page is open.
    pub fn is_open(&self) -> bool {
        self.place != Place::Top
    }

    pub fn is_page(&self) -> bool {
        matches!(self.place, Place::Page | Place::Epilogue)
    }

    /// Whether the item that was found last, or is open, is an event.
    pub fn is_event(&self) -> bool {
        self.is_event
    }

    pub fn in_item(&self) -> bool {
        self.item.is_some()
    }

    /// Takes the items out of `bytes`, which begin at `base` of the stream.
    pub fn scan(&mut self, bytes: &[u8], base: u64, is_last: bool, items: &mut Items) -> Scan {
        let here = |range: Range<u64>| (range.start - base) as usize..(range.end - base) as usize;
        loop {
            match self.step(bytes, base) {
                Step::Item(range) => {
                    if self.is_event {
                        items.item(bytes, here(range), base)
                    } else {
                        items.opened(bytes, here(range), base)
                    }
                    if items.is_full() {
                        return Scan { cut: (self.seen.max(base) - base) as usize, is_broken: false };
                    }
                }
                Step::Closed { .. } => {}
                Step::Broken { at } => return Scan { cut: (at.max(base) - base) as usize, is_broken: true },
                Step::More => break,
            }
        }
        // A number or a word at the very end has no delimiter.
        if is_last
            && self.is_bare()
            && let Some(Step::Item(range)) = self.emit(self.seen)
        {
            items.item(bytes, here(range), base);
        }
        let kept = self.item.as_ref().map_or(self.seen, |item| item.start);
        Scan { cut: (kept.max(base) - base) as usize, is_broken: false }
    }

    /// Whether the open item is neither object, array nor string.
    fn is_bare(&self) -> bool {
        self.item.is_some() && self.stack.is_empty() && !self.in_string
    }

    /// Goes on to the next thing of interest in `bytes`, which begin at `base` of the stream.
    pub fn step(&mut self, bytes: &[u8], base: u64) -> Step {
        if let Some(at) = self.broken {
            return Step::Broken { at };
        }
        let mut pos = (self.seen.max(base) - base) as usize;
        while pos < bytes.len() {
            if self.in_string {
                pos = self.string(bytes, pos);
                if !self.in_string {
                    self.seen = base + pos as u64;
                    if let Some(step) = self.string_ended(bytes, base, pos) {
                        return step;
                    }
                }
                continue;
            }
            let at = base + pos as u64;
            let step = match bytes[pos] {
                b'"' => self.quote(at),
                byte @ (b'{' | b'[') => self.open(byte, at),
                byte @ (b'}' | b']') => self.close(byte, at),
                b',' => self.comma(at),
                b':' => {
                    if let (1, Some(item)) = (self.stack.len(), &mut self.item) {
                        item.expects_key = false;
                    }
                    None
                }
                // The last one separates the texts of a JSON text sequence.
                b' ' | b'\t' | b'\r' | b'\n' | 0x1e => self.gap(at),
                _ => {
                    if self.item.is_none() && self.place != Place::Epilogue {
                        self.item = Some(Item::at(at));
                    }
                    None
                }
            };
            if let Some(step) = step {
                // A bare item ends before its delimiter, which is looked at again.
                let is_before = matches!(&step, Step::Item(range) if range.end == at);
                self.seen = if is_before { at } else { at + 1 };
                return step;
            }
            pos += 1;
        }
        self.seen = self.seen.max(base + bytes.len() as u64);
        Step::More
    }

    /// Goes on in a string; the position after it, or the end of the bytes.
    fn string(&mut self, bytes: &[u8], mut pos: usize) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            pos += 1;
        }
        while let Some(found) = memchr2(b'"', b'\\', &bytes[pos..]) {
            pos += found + 1;
            if bytes[pos - 1] == b'"' {
                self.in_string = false;
                return pos;
            }
            if pos == bytes.len() {
                self.is_escaped = true;
                return pos;
            }
            pos += 1;
        }
        bytes.len()
    }

    fn string_ended(&mut self, bytes: &[u8], base: u64, pos: usize) -> Option<Step> {
        if self.stack.is_empty() {
            return self.emit(base + pos as u64);
        }
        let item = self.item.as_mut()?;
        if let Some(start) = item.key_start.take() {
            // The key of an item whose bytes were dropped is of no interest.
            item.key = start.checked_sub(base).map_or(Key::Other, |start| Key::of(&bytes[start as usize..pos - 1]));
            item.is_event |= item.key == Key::ClassUid;
            self.is_event = item.is_event;
        }
        None
    }

    fn quote(&mut self, at: u64) -> Option<Step> {
        if self.is_bare() {
            return self.emit(at);
        }
        self.in_string = true;
        match &mut self.item {
            Some(item) if item.expects_key && self.stack.len() == 1 => item.key_start = Some(at + 1),
            None if self.place != Place::Epilogue => self.item = Some(Item::at(at)),
            _ => {}
        }
        None
    }

    fn open(&mut self, byte: u8, at: u64) -> Option<Step> {
        if self.is_bare() {
            return self.emit(at);
        }
        match &mut self.item {
            None if self.place == Place::Top && byte == b'[' => {
                self.place = Place::Array;
                return None;
            }
            None if self.place == Place::Epilogue => {}
            None => self.item = Some(Item { expects_key: byte == b'{', ..Item::at(at) }),
            Some(item)
                if self.stack == [b'{']
                    && item.key == Key::List
                    && byte == b'['
                    && self.place == Place::Top
                    && self.has_pages
                    && !item.is_event
                    && at - item.start <= self.max_line_bytes as u64 =>
            {
                self.place = Place::Page;
                self.item = None;
                self.stack.clear();
                return None;
            }
            Some(_) => {}
        }
        self.stack.push(byte);
        (self.stack.len() > DEEPEST).then(|| self.broken(at))
    }

    fn close(&mut self, byte: u8, at: u64) -> Option<Step> {
        if self.is_bare() {
            return self.emit(at);
        }
        let Some(open) = self.stack.pop() else {
            self.place = match (self.place, byte) {
                (Place::Array, b']') => Place::Top,
                (Place::Page, b']') => Place::Epilogue,
                (Place::Epilogue, b'}') => Place::Top,
                _ => return Some(self.broken(at)),
            };
            return (self.place == Place::Top).then_some(Step::Closed { end: at + 1 });
        };
        if (open == b'{') != (byte == b'}') {
            return Some(self.broken(at));
        }
        if self.stack.is_empty() { self.emit(at + 1) } else { None }
    }

    fn comma(&mut self, at: u64) -> Option<Step> {
        if let (Some(item), [b'{']) = (&mut self.item, &self.stack[..]) {
            item.expects_key = true;
            item.key = Key::Other;
        }
        self.gap(at)
    }

    /// A byte that ends a bare item.
    fn gap(&mut self, at: u64) -> Option<Step> {
        if self.is_bare() { self.emit(at) } else { None }
    }

    fn emit(&mut self, end: u64) -> Option<Step> {
        let item = self.item.take()?;
        self.is_event = item.is_event;
        Some(Step::Item(item.start..end))
    }

    fn broken(&mut self, at: u64) -> Step {
        let at = self.item.as_ref().map_or(at, |item| item.start);
        self.broken = Some(at);
        Step::Broken { at }
    }
}

impl Item {
    fn at(start: u64) -> Item {
        Item { start, expects_key: false, key_start: None, key: Key::Other, is_event: false }
    }
}

impl Key {
    fn of(name: &[u8]) -> Key {
        match name {
            b"class_uid" => Key::ClassUid,
            name if LISTS.iter().any(|list| list.as_bytes() == name) => Key::List,
            _ => Key::Other,
        }
    }
}
