//! Letters as they are read: accents and case away, look-alikes of other scripts and widths as what they look like.

/// Letters of other alphabets, and with accents, by the ASCII letter that they are read as.
const ALIKE: [(char, &str); 25] = [
    ('a', "àáâãäåāăąǎæαаɑ"),
    ('b', "ßвьɓƅ"),
    ('c', "çćĉċčсϲⅽ"),
    ('d', "ďđðԁⅾ"),
    ('e', "èéêëēĕėęěеєєεё"),
    ('g', "ĝğġģɡ"),
    ('h', "ĥħнһη"),
    ('i', "ìíîïĩīĭįıιіїⅰ"),
    ('j', "ĵјϳ"),
    ('k', "ķĸκкќ"),
    ('l', "ĺļľŀłⅼӏ"),
    ('m', "мⅿμ"),
    ('n', "ñńņňŉŋпν"),
    ('o', "òóôõöøōŏőοоօσ"),
    ('p', "ρрþ"),
    ('q', "ԛ"),
    ('r', "ŕŗřг"),
    ('s', "śŝşšѕꜱ"),
    ('t', "ţťŧτт"),
    ('u', "ùúûüũūŭůűųυս"),
    ('v', "ѵⅴ"),
    ('w', "ŵԝωѡ"),
    ('x', "хχⅹ"),
    ('y', "ýÿŷуγү"),
    ('z', "źżžζ"),
];

/// The role of a character in a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// It is read as this ASCII letter or digit, in its case.
    Is(u8),
    /// It cannot be seen: soft hyphens, joiners, combining accents.
    Unseen,
    /// It separates words.
    Other,
}

pub(super) fn letter(character: char) -> Letter {
    if character.is_ascii() {
        return if character.is_ascii_alphanumeric() { Letter::Is(character as u8) } else { Letter::Other };
    }
    match character {
        '\u{AD}'
        | '\u{34F}'
        | '\u{300}'..='\u{36F}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' => return Letter::Unseen,
        // Full width, and the mathematical alphabets, are in rows of ASCII.
        '\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}' => {
            return Letter::Is((character as u32 - 0xFF00 + 0x20) as u8);
        }
        '\u{1D400}'..='\u{1D6A3}' => {
            let place = (character as u32 - 0x1D400) % 52;
            return Letter::Is(if place < 26 { b'A' + place as u8 } else { b'a' + (place - 26) as u8 });
        }
        _ => {}
    }
    let lower = character.to_lowercase().next().unwrap_or(character);
    match ALIKE.iter().find(|(_, alike)| alike.contains(lower)) {
        Some((plain, _)) if lower != character => Letter::Is(plain.to_ascii_uppercase() as u8),
        Some((plain, _)) => Letter::Is(*plain as u8),
        None => Letter::Other,
    }
}

/// A name in lower case without separators, and where its words are: taken apart at capitals, digits and separators.
pub(super) struct Folded {
    pub joined: String,
    pub words: Vec<Word>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub start: usize,
    pub end: usize,
    /// Whether a separator begins it, and not just a capital or a digit.
    pub is_separated: bool,
}

/// The bytes of a name that count, from its end: the last words decide.
const LONGEST: usize = 96;

impl Folded {
    pub fn new(name: &str) -> Folded {
        let mut from = name.len().saturating_sub(LONGEST);
        while !name.is_char_boundary(from) {
            from += 1;
        }
        let mut folded = Folded { joined: String::with_capacity(name.len() - from), words: Vec::with_capacity(8) };
        let mut characters = name[from..].chars().map(letter).filter(|letter| *letter != Letter::Unseen).peekable();
        // The letter before, if no separator is between.
        let mut before: Option<u8> = None;
        let mut is_separated = true;
        while let Some(character) = characters.next() {
            let Letter::Is(byte) = character else {
                (before, is_separated) = (None, true);
                continue;
            };
            let is_start = match before {
                None => true,
                Some(before) if before.is_ascii_digit() != byte.is_ascii_digit() => true,
                // `apiKey` has two words, and so has `APIKey`.
                Some(before) if byte.is_ascii_uppercase() => {
                    let is_next_lower =
                        matches!(characters.peek(), Some(Letter::Is(next)) if next.is_ascii_lowercase());
                    !before.is_ascii_uppercase() || is_next_lower
                }
                Some(_) => false,
            };
            if is_start {
                let start = folded.joined.len();
                folded.words.push(Word { start, end: start, is_separated });
                is_separated = false;
            }
            folded.joined.push(byte.to_ascii_lowercase() as char);
            if let Some(word) = folded.words.last_mut() {
                word.end = folded.joined.len();
            }
            before = Some(byte);
        }
        folded
    }

    pub fn word(&self, index: usize) -> &str {
        let word = self.words[index];
        &self.joined[word.start..word.end]
    }

    /// The words from `first` to before `end`, without what separates them.
    pub fn between(&self, first: usize, end: usize) -> &str {
        &self.joined[self.words[first].start..self.words[end - 1].end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        let folded = Folded::new(name);
        (0..folded.words.len()).map(|index| folded.word(index).to_owned()).collect()
    }

    #[test]
    fn names_are_taken_apart_at_case_digits_and_separators() {
        assert_eq!(words("newPassword2"), ["new", "password", "2"]);
        assert_eq!(words("X-API-Key"), ["x", "api", "key"]);
        assert_eq!(words("APIKey"), ["api", "key"]);
        assert_eq!(words("user[password].x"), ["user", "password", "x"]);
        assert_eq!(words("SAMLResponse"), ["saml", "response"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn accents_and_look_alikes_are_read_as_letters() {
        assert_eq!(words("Contraseña"), ["contrasena"]);
        assert_eq!(words("clé_privée"), ["cle", "privee"]);
        assert_eq!(words("p\u{430}ssw\u{43e}rd"), ["password"]);
        assert_eq!(words("Ｐａｓｓｗｏｒｄ"), ["password"]);
        assert_eq!(words("pass\u{200b}wo\u{ad}rd"), ["password"]);
        assert_eq!(words("“token”"), ["token"]);
    }
}
