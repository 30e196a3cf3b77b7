//! Meanings of names: the value is secret by the words in the name, a fact about a secret, or neither.
//!
//! `apiKey`, `API-Key` and `x_api_key` are one name. The last words of a name that are known decide, and what follows
//! them says how sure that is.

use super::fold::Folded;
use super::rules::{Named, Words, Worth};
use hashbrown::{HashMap, HashSet};

/// Words of a name that are looked up together: `code de verification` has three.
const TOGETHER: usize = 4;
/// The beginning or the rest of a compound that is known; shorter ones are in too many words.
const SHORTEST: usize = 5;

/// The meaning of a name for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Secret(Known),
    /// Told by its name to be none, though it is among secrets.
    Plain,
    Unknown,
}

/// A name that is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub rule: usize,
    /// Not when other words follow: then only a value that looks random is a secret.
    pub is_sure: bool,
}

/// All names of all rules.
#[derive(Default)]
pub(super) struct Names {
    entries: HashMap<String, Entry>,
    /// The rule, and whether the name must be the whole name.
    query_only: HashMap<String, (usize, bool)>,
    about: HashSet<String>,
    same: HashSet<String>,
    without: HashSet<String>,
    hashes: HashSet<String>,
    people: HashSet<String>,
    /// How the entries end: most words of most names end otherwise, which spares looking them up.
    tails: Ends,
    /// How those entries begin that compounds may begin with.
    heads: Ends,
}

/// A name without the words that join its parts in other languages: `codigo_de_seguridad`, `cle_d_acces`.
fn without_links(name: &str) -> String {
    let is_link = |word: &&str| matches!(*word, "de" | "d" | "da" | "do" | "del" | "des" | "du" | "la" | "le");
    name.split('_').filter(|word| !is_link(word)).collect::<Vec<_>>().join("_")
}

/// A set of three letters each, as bits: it may say yes too often.
struct Ends(Vec<u64>);

impl Default for Ends {
    fn default() -> Ends {
        Ends(vec![0; 512])
    }
}

impl Ends {
    fn place(letters: &[u8]) -> usize {
        letters.iter().fold(0, |place, byte| place << 5 | usize::from(byte & 0x1f)) & 0x7fff
    }

    fn add(&mut self, letters: &[u8]) {
        let place = Ends::place(letters);
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn may_have(&self, letters: &[u8]) -> bool {
        let place = Ends::place(letters);
        self.0[place / 64] >> (place % 64) & 1 == 1
    }
}

/// The last letters of a text, as `Ends` takes them.
fn tail(text: &str) -> &[u8] {
    &text.as_bytes()[text.len().saturating_sub(3)..]
}

struct Entry {
    /// None: excepted.
    rule: Option<usize>,
    is_ending: bool,
    has_hash: bool,
    /// Where the rule allows a separator; elsewhere one makes it another name: `toke-n`.
    starts: Vec<usize>,
}

impl Names {
    pub fn new(words: &Words) -> Names {
        let set = |words: &std::collections::BTreeSet<String>| words.iter().cloned().collect();
        Names {
            about: set(&words.about),
            same: set(&words.same),
            without: set(&words.without),
            hashes: set(&words.hashes),
            people: words.people.iter().map(|name| Folded::new(name).joined).collect(),
            ..Names::default()
        }
    }

    pub fn add(&mut self, rule: usize, named: &Named) {
        for name in &named.names {
            if named.is_query_only {
                let is_whole = named.value != Worth::Random;
                self.query_only.insert(Folded::new(name).joined, (rule, is_whole));
            } else {
                self.insert(name, Some(rule), named);
                self.insert(&without_links(name), Some(rule), named);
            }
        }
        for name in &named.except {
            self.insert(name, None, named);
        }
    }

    fn insert(&mut self, name: &str, rule: Option<usize>, named: &Named) {
        let folded = Folded::new(name);
        let starts: Vec<usize> = folded.words.iter().map(|word| word.start).collect();
        let is_ending = named.is_ending && folded.joined.len() >= SHORTEST;
        self.tails.add(tail(&folded.joined));
        // Of two letters, whatever is before them in a name.
        if folded.joined.len() < 3 {
            (0..32).for_each(|before| self.tails.add(&[&[before], folded.joined.as_bytes()].concat()));
        }
        if is_ending {
            self.heads.add(&folded.joined.as_bytes()[..3]);
        }
        let entry = Entry { rule, is_ending, has_hash: named.has_hash, starts };
        match self.entries.get_mut(&folded.joined) {
            // Another spelling: `password` and `pass_word`. Of two rules the first one has a name.
            Some(known) => known.starts.extend(entry.starts),
            None => {
                self.entries.insert(folded.joined, entry);
            }
        }
    }

    /// The meaning of a name in any place.
    pub fn meaning(&self, name: &str) -> Meaning {
        self.meaning_of(&Folded::new(name))
    }

    /// The meaning of a name as a parameter of a URL query.
    pub fn in_query(&self, name: &str) -> Meaning {
        let folded = Folded::new(name);
        if let Some((rule, _)) = self.query_only.get(&folded.joined) {
            return Meaning::Secret(Known { rule: *rule, is_sure: true });
        }
        let meaning = self.meaning_of(&folded);
        // `team_invite`, `st_ticket`: what the last word says, if nothing else is known of the name.
        let last = folded.words.len().checked_sub(1).and_then(|last| self.query_only.get(folded.word(last)));
        match (&meaning, last) {
            (Meaning::Unknown, Some((rule, false))) => Meaning::Secret(Known { rule: *rule, is_sure: true }),
            _ => meaning,
        }
    }

    /// Whether the values of this name are names or addresses of people.
    pub fn is_of_people(&self, name: &str) -> bool {
        let folded = Folded::new(name);
        let count = folded.words.len();
        (count.saturating_sub(3)..count).any(|first| self.people.contains(folded.between(first, count)))
    }

    fn meaning_of(&self, folded: &Folded) -> Meaning {
        let count = folded.words.len();
        for end in (1..=count).rev() {
            let is_tail = self.tails.may_have(tail(&folded.joined[..folded.words[end - 1].end]));
            if !is_tail && !self.heads.may_have(&folded.word(end - 1).as_bytes()[..folded.word(end - 1).len().min(3)]) {
                continue;
            }
            for first in end.saturating_sub(TOGETHER)..end {
                let Some(entry) = self.entry(folded, first, end) else { continue };
                return self.judged(entry, folded, first, end);
            }
            if let Some(meaning) = self.compound(folded, end) {
                return meaning;
            }
        }
        match count {
            0 => Meaning::Unknown,
            _ if self.about.contains(folded.word(count - 1)) => Meaning::Plain,
            _ => Meaning::Unknown,
        }
    }

    fn entry(&self, folded: &Folded, first: usize, end: usize) -> Option<&Entry> {
        let entry = self.entries.get(folded.between(first, end))?;
        let base = folded.words[first].start;
        let mut inner = folded.words[first + 1..end].iter().filter(|word| word.is_separated);
        inner.all(|word| entry.starts.contains(&(word.start - base))).then_some(entry)
    }

    /// The meaning of words with a secret one among them.
    fn judged(&self, entry: &Entry, folded: &Folded, first: usize, end: usize) -> Meaning {
        let Some(rule) = entry.rule else { return Meaning::Plain };
        let count = folded.words.len();
        if first > 0 && self.without.contains(folded.word(first - 1)) {
            return Meaning::Plain;
        }
        let is_of_hash = (0..first).chain(end..count).any(|index| {
            let with_digits = (index + 1 < count).then(|| folded.between(index, index + 2));
            let is_hash = |word: &str| self.hashes.contains(word) && !(entry.has_hash && word.starts_with("hash"));
            is_hash(folded.word(index)) || with_digits.is_some_and(is_hash)
        });
        if is_of_hash {
            return Meaning::Plain;
        }
        let is_digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let mut others =
            (end..count).map(|index| folded.word(index)).filter(|word| !is_digits(word) && !self.same.contains(*word));
        match others.next_back() {
            None => Meaning::Secret(Known { rule, is_sure: true }),
            Some(last) if self.about.contains(last) => Meaning::Plain,
            Some(_) => Meaning::Secret(Known { rule, is_sure: false }),
        }
    }

    /// A word that is put together without a separator: `dbpassword`, `passwordhash`.
    fn compound(&self, folded: &Folded, end: usize) -> Option<Meaning> {
        let word = folded.word(end - 1);
        if word.len() <= SHORTEST {
            return None;
        }
        let ending = |text: &str| self.entries.get(text).filter(|entry| entry.is_ending);
        for cut in 1..=word.len() - SHORTEST {
            if let Some(entry) = ending(&word[cut..]) {
                let is_without = self.without.contains(&word[..cut]) || self.hashes.contains(&word[..cut]);
                return Some(if is_without { Meaning::Plain } else { self.judged(entry, folded, end - 1, end) });
            }
        }
        for cut in (SHORTEST..word.len()).rev() {
            let Some(entry) = ending(&word[..cut]) else { continue };
            let (rule, rest) = (entry.rule?, &word[cut..]);
            let is_hash = self.hashes.contains(rest) && !entry.has_hash;
            if is_hash || self.about.contains(rest) {
                return Some(Meaning::Plain);
            }
            return self.same.contains(rest).then_some(Meaning::Secret(Known { rule, is_sure: true }));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::{How, Rules};

    fn names() -> (Names, Vec<String>) {
        let rules = Rules::embedded();
        let (mut names, mut labels) = (Names::new(&rules.words), Vec::new());
        for (rule, how) in rules.effective().unwrap() {
            if let How::Name(named) = how {
                names.add(labels.len(), named);
                labels.push(rule.name.clone());
            }
        }
        (names, labels)
    }

    #[test]
    fn spellings_of_a_name_are_one_name() {
        let (names, labels) = names();
        for (spelling, rule) in [
            ("X-API-Key", "api-key"),
            ("xi_api_key", "api-key"),
            ("APIKey", "api-key"),
            ("apikey", "api-key"),
            ("googleapikey", "api-key"),
            ("X-Auth-Key", "api-key"),
            ("Ocp-Apim-Subscription-Key", "api-key"),
            ("Set-Cookie", "cookie"),
            ("accessToken", "token"),
            ("X-Amz-Security-Token", "token"),
            ("csrfToken", "token"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("requestParameters.userPassword", "password"),
            ("dbpassword", "password"),
            ("PGPASSWORD", "password"),
            ("MYSQL_PWD", "password"),
            ("password1", "password"),
            ("newPassword2", "password"),
            ("passwordConfirmation", "password"),
            ("password_hash", "password"),
            ("passwordhash", "password"),
            ("JSessionID", "cookie"),
            ("session_id", "session"),
            ("recovery_codes", "otp"),
            ("SAMLResponse", "saml"),
            ("user.passWord", "password"),
            ("pass-word", "password"),
            ("X-Amz-Signature", "signature"),
            ("Proxy-Authorization", "authorization"),
            ("Passwort", "password"),
            ("Kennwort2", "password"),
            ("motDePasse", "password"),
            ("contraseña", "password"),
            ("palavra-passe", "password"),
            ("clé_privée", "private-key"),
            ("p\u{430}ssword", "password"),
        ] {
            let Meaning::Secret(found) = names.meaning(spelling) else { panic!("{spelling}") };
            assert_eq!((labels[found.rule].as_str(), found.is_sure), (rule, true), "{spelling}");
        }
        for plain in [
            "token_count",
            "max_tokens",
            "token_type",
            "credential_uid",
            "accessKeyId",
            "nextToken",
            "key",
            "code",
            "status_code",
            "password_reset",
            "passwordpolicy",
            "secret_id",
            "toke-n",
            "hashed_token",
            "token_sha256",
            "tokenFingerprint",
            "password_digest",
            "publicKey",
            "TokenElevationType",
            "SubjectUserSid",
            "secretary",
            "",
            "é",
            "keyboard_type",
        ] {
            assert!(!matches!(names.meaning(plain), Meaning::Secret(_)), "{plain}");
        }
        for unsure in ["authorization.k8s.io/decision", "token_whatever", "cookieBanana"] {
            assert!(matches!(names.meaning(unsure), Meaning::Secret(Known { is_sure: false, .. })), "{unsure}");
        }
        assert!(matches!(names.in_query("code"), Meaning::Secret(_)));
        assert!(!matches!(names.in_query("country_code"), Meaning::Secret(_)));
        assert!(
            names.is_of_people("TargetUserName") && names.is_of_people("email_addr") && !names.is_of_people("name")
        );
    }
}
