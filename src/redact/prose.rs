//! Secrets that a sentence tells: `password is x`, `changed from x to y`, `identified by 'x'`, `login a password x`;
//! and text right after a placeholder.

use super::ends::{Manner, Right, quoted};
use super::engine::Engine;
use super::mask::{mark_at, placeholder_at};
use super::names::Known;
use super::rules::{How, Rule, Worth};
use super::scan::Scan;
use super::value::{Look, RANDOM, is_scrambled, look};
use crate::error::{Context, Kind, Result};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use std::collections::BTreeSet;

/// Words after the secret's name that are looked at.
const WORDS: usize = 7;
/// Bytes after it.
pub(super) const REACH: usize = 192;

/// The words that a sentence about a secret has.
pub(super) struct Cues {
    automaton: AhoCorasick,
    /// The first of them are names; those after are other cues.
    names: usize,
}

/// Marks that text may be behind, and SQL.
const OTHERS: [&str; 13] = [
    "redacted]",
    "redacted>",
    "redacted)",
    ":0",
    "identified by",
    " by '",
    "convertto-securestring",
    "masked]",
    "filtered]",
    "chpasswd",
    "passwd --stdin",
    "***",
    "\";s:",
];

/// Commands that take a password as their last argument, and how many arguments they have then at least.
pub(super) const POSITIONAL: [(&str, usize); 6] = [
    ("net user ", 2),
    ("net use ", 1),
    ("htpasswd -", 2),
    ("rasdial ", 3),
    ("wpa_passphrase ", 2),
    ("mysqladmin password ", 1),
];

impl Cues {
    pub fn new(rules: &[(&Rule, &How)], spoken: &BTreeSet<String>) -> Result<Cues> {
        let named = rules.iter().filter_map(|(_, how)| match how {
            How::Name(named)
                if matches!(named.value, Worth::Any | Worth::Secret | Worth::Token | Worth::Code | Worth::Pin)
                    && !named.is_query_only =>
            {
                Some(named)
            }
            _ => None,
        });
        let mut words: Vec<String> = named
            .flat_map(|named| &named.names)
            .filter(|name| name.len() > 2)
            .flat_map(|name| [name.clone(), name.replace('_', " ")])
            .collect();
        words.sort_unstable();
        words.dedup();
        words.extend(spoken.iter().flat_map(|word| [word.clone(), word.to_lowercase()]));
        let names = words.len();
        words.extend(OTHERS.iter().map(|word| (*word).to_owned()));
        words.extend(POSITIONAL.iter().map(|(command, _)| (*command).to_owned()));
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(words);
        Ok(Cues {
            automaton: automaton.context(Kind::Usage, || "cannot search for the names of the redaction rules")?,
            names,
        })
    }
}

impl Scan<'_, '_> {
    pub(super) fn sentences(&mut self) {
        let engine: &Engine = self.engine;
        let mut from = 0;
        while let Some(found) = engine.cues.automaton.find(Input::new(self.text).range(from..)) {
            let end = if found.pattern().as_usize() < engine.cues.names {
                self.spoken(found.start(), found.end())
            } else {
                self.cued(found.start(), found.end())
            };
            // A longer name may hide a shorter one that begins in it: `root pass` in `root password x`.
            from = end.filter(|end| *end > found.start()).unwrap_or(found.start() + 1);
            while !self.text.is_char_boundary(from) {
                from += 1;
            }
        }
    }

    /// Takes what a sentence says after a secret's name.
    fn spoken(&mut self, start: usize, end: usize) -> Option<usize> {
        let bytes = self.bytes;
        // `aws_secret_access_key x`: the name of a variable, of which more may be before.
        let is_variable = self.text[start..end].contains('_');
        let is_inside = start > 0
            && (bytes[start - 1].is_ascii_alphanumeric()
                || bytes[start - 1] == b'-'
                || bytes[start - 1] == b'_' && !is_variable);
        let next = *bytes.get(end)?;
        if is_inside || !matches!(next, b' ' | b'(') {
            return None;
        }
        let known = self.engine.rule_of(&self.text[start..end]).filter(|known| known.is_sure)?;
        let worth = self.engine.label(known.rule).worth;
        let is_password = worth == Worth::Any;
        let is_direct = is_password || is_variable || matches!(worth, Worth::Code | Worth::Pin);
        if next == b'(' {
            // `PASSWORD('x')` of SQL.
            return quoted(bytes, end + 1).filter(|_| is_password).and_then(|right| self.take_right(known, right));
        }
        let rest = &self.text[end..];
        let mut reach = rest.len().min(REACH);
        while !rest.is_char_boundary(reach) {
            reach -= 1;
        }
        // A word that begins within reach is taken whole: what were left of it would be a part of the secret.
        reach += rest[reach..].find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len() - reach);
        let (mut is_linked, mut is_from, mut is_change, mut was_change) = (false, false, true, false);
        let mut taken = None;
        let mut at = end;
        for count in 0..WORDS {
            at += self.text[at..end + reach].len() - self.text[at..end + reach].trim_start().len();
            let word = self.text[at..end + reach].split_ascii_whitespace().next()?;
            let plain = word.trim_matches(|c: char| ",;.!".contains(c)).to_lowercase();
            // `password of ann: x => y`
            let is_arrow = || {
                let after = self.text[at + word.len()..end + reach].trim_start();
                ["=> ", "-> ", "→ "].iter().any(|arrow| after.starts_with(arrow))
            };
            let candidate = if is_from {
                // Only `from x to y` tells two values; `from` alone tells where somebody was.
                let after = self.text[at + word.len()..end + reach].trim_start();
                ["to ", "auf ", "a ", "à ", "para ", "nach ", "zu ", "en ", "vers "]
                    .iter()
                    .any(|link| after.starts_with(link))
            } else {
                // `SECRET 'x'` of SQL.
                let is_quoted = word.starts_with(['\'', '"']);
                is_linked || count == 0 && (is_direct || is_quoted) || is_password && is_arrow()
            };
            if candidate && let Some(right) = self.told(at, word, worth, count == 0) {
                let next = right.end;
                taken = self.take_right(known, right).or(taken);
                if !is_from {
                    return taken;
                }
                (is_from, is_linked, is_change) = (false, false, true);
                at = next.max(at + word.len());
                continue;
            }
            if word.ends_with(['.', ';', '!']) {
                return taken;
            }
            let vocabulary = self.words();
            let is_to = matches!(
                plain.as_str(),
                "to" | "auf" | "zu" | "a" | "à" | "para" | "into" | "nach" | "vers" | "en" | "as" | "="
            );
            is_from = is_change && matches!(plain.as_str(), "from" | "von" | "de" | "desde" | "depuis");
            is_linked = vocabulary.links.contains(&plain) || is_to && (is_change || was_change);
            was_change = vocabulary.changes.contains(&plain);
            is_change = is_change && (vocabulary.changes.contains(&plain) || is_from || is_to && taken.is_some());
            at += word.len();
        }
        taken
    }

    /// The value that a sentence tells at `at`, if the word looks like one.
    fn told(&self, at: usize, word: &str, worth: Worth, is_next: bool) -> Option<Right> {
        let is_password = worth == Worth::Any;
        if let Some(right) =
            quoted(self.bytes, at).filter(|right| right.manner == Manner::Whole && right.end - right.start <= REACH)
        {
            let value = &self.text[right.start..right.end];
            let is_prose = value.split(' ').any(|word| self.words().is_prose(word));
            let is_told = if is_password {
                !is_prose || self.is_random(value)
            } else {
                !is_next && self.is_random(value) || self.is_scrambled(value)
            };
            return is_told.then_some(right);
        }
        let open = word.len() - word.trim_start_matches(['(', '[']).len();
        let value = word[open..].trim_end_matches([',', ';', '.', '!', ')', ']', '"', '\'', ':']);
        // A tag, an assignment or a list, which others look at.
        if value.is_empty() || value.trim_end_matches('=').contains(['<', '>', '"', '\'', '{', '}', '=', '(', '[', '|'])
        {
            return None;
        }
        let is_told = match look(value, self.words()) {
            Look::Random => is_password || value.len() >= if is_next { RANDOM } else { 20 },
            // In a sentence `user42` is somebody, and `login bob password hunter2` a password.
            Look::Chosen => {
                is_password && super::value::is_mixed(value)
                    || worth == Worth::Code && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            }
            Look::Number(digits) => {
                matches!(worth, Worth::Code | Worth::Pin) && digits == value.len() && (4..=8).contains(&digits)
            }
            Look::Hash => !is_next && is_password,
            _ => false,
        };
        is_told.then_some(Right { start: at + open, end: at + open + value.len(), manner: Manner::Assigned })
    }

    /// Random, and not the path of a secret, as stores have them: `prod/db-AbCdEf`.
    fn is_scrambled(&self, value: &str) -> bool {
        look(value, self.words()) == Look::Random && (is_scrambled(value) || !value.contains(['/', ':']))
    }

    fn is_random(&self, value: &str) -> bool {
        matches!(look(value, self.words()), Look::Random | Look::Chosen)
    }

    fn take_right(&mut self, known: Known, right: Right) -> Option<usize> {
        let end = right.end;
        self.take(known, &right).then_some(end)
    }

    /// Takes what is after a mark, and what SQL and PowerShell are told.
    fn cued(&mut self, start: usize, end: usize) -> Option<usize> {
        let cue = self.text[start..end].to_ascii_lowercase();
        if cue == "identified by" || cue == "convertto-securestring" {
            let near = if cue == "identified by" { 4 } else { 48 };
            let skip = self.bytes[end..].iter().take(near).position(|byte| matches!(byte, b'"' | b'\''))?;
            let right = quoted(self.bytes, end + skip)?;
            return self.take_password(right.start, right.end);
        }
        if let Some((_, least)) = POSITIONAL.iter().find(|(command, _)| *command == cue) {
            return self.positional(end, *least);
        }
        if cue == "\";s:" {
            return self.serialized(start, end);
        }
        if cue == "chpasswd" || cue == "passwd --stdin" {
            return self.echoed(start);
        }
        if cue == " by '" {
            let from = start.saturating_sub(64);
            let before = self.bytes[from..start].to_ascii_lowercase();
            memchr::memmem::find(&before, b"identified with")?;
            let right = quoted(self.bytes, end - 1)?;
            return self.take_password(right.start, right.end);
        }
        let rule = self.engine.behind?;
        if cue == "***" {
            // Four letters behind are what masks leave; a whole token is not.
            let is_mask = start == 0 || !self.bytes[start - 1].is_ascii_alphanumeric() && self.bytes[start - 1] != b'*';
            // Only the first cue of a mask counts its asterisks, else a long mask would take its length squared.
            if !is_mask {
                return None;
            }
            let past = end + self.bytes[end..].iter().take_while(|byte| **byte == b'*').count();
            let length = self.bytes[past..].iter().take(RANDOM).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            return if length == RANDOM { self.take_behind(rule, past) } else { None };
        }
        let floor = start.saturating_sub(80);
        let open = floor + memchr::memrchr3(b'[', b'<', b'(', &self.bytes[floor..(start + 1).min(self.bytes.len())])?;
        let past = if cue == ":0" { placeholder_at(self.text, open)? } else { mark_at(self.text, open)? };
        self.take_behind(rule, past)
    }

    /// The last argument of a command, which continues at `start`: `net use \\srv /user:bob x`.
    fn positional(&mut self, start: usize, least: usize) -> Option<usize> {
        let is_inner = |byte: &&u8| !matches!(byte, b'|' | b';' | b'\n' | b'&' | b'>');
        let mut end = start + self.bytes[start..].iter().take(REACH).take_while(is_inner).count();
        // A word that begins within reach is taken whole.
        let is_word = |byte: &&u8| is_inner(byte) && !byte.is_ascii_whitespace();
        end += self.bytes[end..].iter().take_while(is_word).count();
        let line = &self.text[start..end];
        let (mut arguments, mut last) = (0, None);
        for word in line.split_ascii_whitespace() {
            let plain = word.trim_matches(['"', '\'']);
            if !plain.is_empty() && !plain.starts_with(['/', '-', '\\', '%', '$']) {
                (arguments, last) = (arguments + 1, Some(plain));
            }
        }
        let last = last.filter(|_| arguments >= least)?;
        if !matches!(look(last, self.words()), Look::Chosen | Look::Random) || last.contains('\\') {
            return None;
        }
        let from = start + (last.as_ptr() as usize - line.as_ptr() as usize);
        self.take_password(from, from + last.len())
    }

    /// `s:8:"password";s:12:"x"`, as PHP writes it: the name ends at `start`, and the length of the value begins at `end`.
    fn serialized(&mut self, start: usize, end: usize) -> Option<usize> {
        let name = self.bytes[..start].iter().rev().take(64).take_while(|byte| **byte != b'"').count();
        // Of a longer text the 64 bytes may begin within a character.
        let known = self.engine.rule_of(self.text.get(start - name..start)?)?;
        let digits = self.bytes[end..].iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || self.bytes.get(end + digits) != Some(&b':') {
            return None;
        }
        let right = quoted(self.bytes, end + digits + 1)?;
        self.take_right(known, right)
    }

    /// `echo bob:x | chpasswd`, `echo x | passwd --stdin bob`.
    fn echoed(&mut self, at: usize) -> Option<usize> {
        let floor = at.saturating_sub(REACH);
        let start = floor + memchr::memmem::rfind(&self.bytes[floor..at], b"echo ")? + "echo ".len();
        let start = start + self.bytes[start..at].iter().take_while(|byte| b" \"'-en".contains(byte)).count();
        let length = self.bytes[start..at].iter().position(|byte| b" \"'|".contains(byte))?;
        let password =
            self.text[start..start + length].split_once(':').map_or(start, |(user, _)| start + user.len() + 1);
        self.take_password(password, start + length);
        None
    }

    fn take_behind(&mut self, rule: usize, past: usize) -> Option<usize> {
        if !self.bytes.get(past)?.is_ascii_alphanumeric() {
            return None;
        }
        let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-+/=.~!@#$%^*".contains(byte);
        let length = self.bytes[past..].iter().take_while(is_inner).count();
        let length = self.text[past..past + length].trim_end_matches(['.', '!', '=', '/']).len();
        let value = &self.text[past..past + length];
        let is_secret = length >= 6
            && matches!(
                look(value, self.words()),
                Look::Random | Look::Chosen | Look::Hash | Look::Uuid | Look::Word | Look::Id
            );
        (is_secret && self.push(rule, past, past + length)).then_some(past + length)
    }

    fn take_password(&mut self, start: usize, end: usize) -> Option<usize> {
        let known = self.engine.rule_of("password")?;
        (self.take(known, &Right { start, end, manner: Manner::Whole })).then_some(end)
    }
}
