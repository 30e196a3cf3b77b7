//! Rules as they are written, in a file or in the configuration. All that is wrong with a rule is said here, with the
//! file and the line, so that compiling a policy later cannot surprise anybody.

use super::rules::{Alphabet, Begins, How, Named, Rule, Rules, Shape, Words, Worth};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: Vec<Spanned<Written>>,
    #[serde(default)]
    rule: Vec<Spanned<Written>>,
    // The word lists, by name: `flatten` would accept unknown fields.
    #[serde(default)]
    about: Vec<String>,
    #[serde(default)]
    same: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    hashes: Vec<String>,
    #[serde(default)]
    terms: Vec<String>,
    #[serde(default)]
    prose: Vec<String>,
    #[serde(default)]
    spoken: Vec<String>,
    #[serde(default)]
    links: Vec<String>,
    #[serde(default)]
    changes: Vec<String>,
    #[serde(default)]
    schemes: Vec<String>,
    #[serde(default)]
    people: Vec<String>,
}

/// One rule: which of the fields it has says how it recognises secrets.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    name: String,
    kind: Option<String>,
    enabled: Option<bool>,
    names: Option<Vec<String>>,
    except: Vec<String>,
    value: Worth,
    is_ending: bool,
    is_query_only: bool,
    has_hash: bool,
    shape: Option<String>,
    needles: Option<Vec<String>>,
    after: usize,
    back: usize,
    is_mixed: bool,
    begins: Option<Vec<String>>,
    of: Option<Alphabet>,
    min: usize,
    segments: Option<Vec<String>>,
    is_weak: bool,
    flags: Option<Vec<String>>,
    tools: Vec<String>,
    is_pair: bool,
    userinfo: bool,
    parameters: bool,
    behind: bool,
    packed: bool,
    member: bool,
}

/// Reads the rules of a file; `origin` names it in messages.
pub(super) fn file(text: &str, origin: &str, is_own: bool) -> Result<Rules> {
    let place = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        format!("{origin}, line {}", before.matches('\n').count() + 1)
    };
    let file: File = toml::from_str(text).map_err(|error| {
        let position = place(error.span().map_or(0, |span| span.start));
        Error::new(Kind::Usage, format!("cannot read the redaction rules ({position}): {}", error.message()))
    })?;
    let mut rules: Vec<Rule> = Vec::with_capacity(file.tokens.len() + file.rule.len());
    let tokens = file.tokens.into_iter().map(|written| (written, true));
    for (written, is_token) in tokens.chain(file.rule.into_iter().map(|written| (written, false))) {
        let start = written.span().start;
        let mut written = written.into_inner();
        if is_token && written.kind.is_none() {
            written.kind = Some(format!("{}-token", written.name));
        }
        // The span of a table begins with its header line.
        let position = if is_token { place(start) } else { place(start + text[start..].find("name").unwrap_or(0)) };
        let name = written.name.clone();
        let mut rule = written.check().map_err(|problem| {
            let shape = text[start..].find("\nshape").filter(|_| problem.starts_with("shape:"));
            wrong(&name, &shape.map_or(position.clone(), |at| place(start + at + 1)), &problem)
        })?;
        if rules.iter().any(|other| other.name == name) {
            return Err(wrong(&name, &position, "the name is taken"));
        }
        rule.is_own = is_own;
        rule.position = position;
        rules.push(rule);
    }
    let set = |words: Vec<String>| words.into_iter().collect();
    let words = Words {
        about: set(file.about),
        same: set(file.same),
        without: set(file.without),
        hashes: set(file.hashes),
        terms: set(file.terms),
        prose: set(file.prose),
        spoken: set(file.spoken),
        links: set(file.links),
        changes: set(file.changes),
        schemes: set(file.schemes),
        people: set(file.people),
    };
    Ok(Rules { rules, words })
}

/// Takes rules from a list in the configuration.
pub(super) fn list(list: &[toml::Table]) -> Result<Rules> {
    let mut rules: Vec<Rule> = Vec::with_capacity(list.len());
    for (index, table) in list.iter().enumerate() {
        let position = format!("[redact] own, number {}", index + 1);
        let name = table.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
        let written: Written =
            table.clone().try_into().map_err(|error: toml::de::Error| wrong(&name, &position, error.message()))?;
        let mut rule = written.check().map_err(|problem| wrong(&name, &position, &problem))?;
        if rules.iter().any(|other| other.name == name) {
            return Err(wrong(&name, &position, "the name is taken"));
        }
        rule.is_own = true;
        rule.position = position;
        rules.push(rule);
    }
    Ok(Rules { rules, words: Words::default() })
}

fn wrong(name: &str, position: &str, problem: &str) -> Error {
    Error::new(Kind::Usage, format!("cannot use redaction rule `{name}` ({position}): {problem}"))
}

impl Written {
    /// The rule, or what is wrong with it.
    fn check(mut self) -> Result<Rule, String> {
        let name = std::mem::take(&mut self.name);
        if name.is_empty() || !name.bytes().all(is_label) {
            return Err("a name has lower-case letters, digits and `-`".to_owned());
        }
        let kind = self.kind.take().unwrap_or_else(|| name.clone());
        if kind.is_empty() || !kind.bytes().all(is_label) {
            return Err("a kind has lower-case letters, digits and `-`".to_owned());
        }
        let is_enabled = self.enabled;
        let how = self.how()?;
        if how.is_none() && is_enabled.is_none() {
            return Err("it needs `names`, `shape`, `begins` or `segments`".to_owned());
        }
        let is_enabled = is_enabled.unwrap_or(true);
        Ok(Rule { name, kind, is_enabled, is_own: false, how, position: String::new() })
    }

    fn how(self) -> Result<Option<How>, String> {
        let marks = [self.userinfo, self.parameters, self.behind, self.packed, self.member];
        let lists = [
            self.names.is_some(),
            self.shape.is_some(),
            self.begins.is_some(),
            self.segments.is_some(),
            self.flags.is_some(),
        ];
        match marks.iter().chain(&lists).filter(|is_there| **is_there).count() {
            0 => return Ok(None),
            1 => {}
            _ => return Err("a rule recognises secrets in one way".to_owned()),
        }
        if let Some(names) = self.names {
            let is_bad = |name: &&String| name.len() < 2 || !name.bytes().all(|byte| is_label(byte) || byte == b'_');
            if names.is_empty() {
                return Err("`names` is empty".to_owned());
            }
            if let Some(bad) = names.iter().chain(&self.except).find(is_bad) {
                return Err(format!("`{bad}`: names have lower-case letters, digits, `_` between words"));
            }
            let Written { except, value, is_ending, is_query_only, has_hash, .. } = self;
            return Ok(Some(How::Name(Named { names, except, value, is_ending, is_query_only, has_hash })));
        }
        if let Some(shape) = self.shape {
            let regex = regex::Regex::new(&shape).map_err(|error| format!("shape: {error}"))?;
            if regex.is_match("") {
                return Err("shape: it matches the empty text".to_owned());
            }
            let needles = self.needles.filter(|needles| !needles.is_empty());
            let needles = needles.ok_or("`needles` is missing: texts that are in every match, three bytes or more")?;
            if let Some(short) = needles.iter().find(|needle| needle.len() < 3) {
                return Err(format!("needle `{short}` is shorter than three bytes"));
            }
            let Written { after, back, is_mixed, .. } = self;
            return Ok(Some(How::Shape(Shape { pattern: shape, needles, after, back, is_mixed })));
        }
        if let Some(begins) = self.begins {
            if let Some(short) = begins.iter().find(|begin| begin.len() < 3) {
                return Err(format!("beginning `{short}` is shorter than three bytes"));
            }
            let of = self.of.unwrap_or(Alphabet::Word);
            return Ok(Some(How::Begins(Begins { begins, of, min: self.min.max(8) })));
        }
        if let Some(words) = self.segments {
            if let Some(bad) = words.iter().find(|word| word.len() < 3) {
                return Err(format!("segment `{bad}` is shorter than three bytes"));
            }
            return Ok(Some(How::Segment { words, is_weak: self.is_weak }));
        }
        if let Some(flags) = self.flags {
            if let Some(bad) = flags.iter().find(|flag| flag.len() < 2 || !flag.starts_with(['-', '/'])) {
                return Err(format!("option `{bad}` begins with neither `-` nor `/`"));
            }
            return Ok(Some(How::Flag { flags, tools: self.tools, is_pair: self.is_pair }));
        }
        let [userinfo, parameters, behind, packed, _] = marks;
        Ok(Some(match (userinfo, parameters, behind, packed) {
            (true, ..) => How::Userinfo,
            (_, true, ..) => How::Parameters,
            (_, _, true, _) => How::Behind,
            (_, _, _, true) => How::Packed,
            _ => How::Member,
        }))
    }
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let error = Rules::parse(text, "my.toml").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        let unknown = message("about = []\n\n[[rule]]\nname = 'x'\nkind = 'x'\nnamez = ['y']\n");
        assert!(unknown.contains("my.toml, line 6") && unknown.contains("namez"), "{unknown}");
        let regex = message("[[rule]]\nname = 'x'\nkind = 'x'\nneedles = ['abc']\nshape = '('\n");
        assert!(regex.contains("`x` (my.toml, line 5): shape"), "{regex}");
        let kind = message("[[rule]]\nname = 'x'\nuserinfo = true\nkind = 'A]'\n");
        assert!(kind.contains("line 2") && kind.contains("a kind has"), "{kind}");
        let twice = message("[[rule]]\nname='x'\nenabled=false\n[[rule]]\nname='x'\nenabled=true\n");
        assert!(twice.contains("line 5): the name is taken"), "{twice}");
        assert!(message("[[rule]]\nname='x'\nshape='a'\nneedles=['ab']").contains("shorter"));
        assert!(message("[[rule]]\nname='x'\nshape='a*'\nneedles=['abc']").contains("empty"));
        assert!(message("[[rule]]\nname='x'\nshape='abc'").contains("`needles` is missing"));
        assert!(message("[[rule]]\nname='x'\nnames=['abc']\nsegments=['abc']").contains("one way"));
        assert!(message("[[rule]]\nname='x'").contains("needs `names`"));
        assert!(message("[[rule]\n").contains("line 1"));
    }

    #[test]
    fn a_list_in_the_configuration_holds_rules() {
        let table: toml::Table =
            "own = [{ name = 'badge', shape = 'B-[0-9]{6}', needles = ['B-0'] }, { name = 'x', names = ['y z'] }]"
                .parse()
                .unwrap();
        let list: Vec<toml::Table> =
            table["own"].as_array().unwrap().iter().map(|rule| rule.as_table().unwrap().clone()).collect();
        let rules = Rules::own(&list[..1]).unwrap();
        let about = rules.about();
        assert_eq!(about.len(), 1);
        let told = (
            about[0].name.as_str(),
            about[0].finds_by,
            about[0].looks_for.as_str(),
            about[0].is_own,
            about[0].origin.as_str(),
        );
        assert_eq!(told, ("badge", "shape", "B-[0-9]{6}", true, "[redact] own, number 1"));
        let error = Rules::own(&list).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot use redaction rule `x` ([redact] own, number 2): `y z`: names have lower-case letters, digits, `_` between words"
        );
    }
}
