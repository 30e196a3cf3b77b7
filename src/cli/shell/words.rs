//! Completion of a statement: tables, columns step by step along their paths, functions, keywords, the ids
//! of an enumeration with their captions, and texts that a column can hold.

use std::collections::BTreeMap;

use crate::repl::{Candidate, KEYWORDS, PHRASES, Typed, starting};

use super::meaning::texts;
use super::names::{Columns, Names};
use super::token::{compared, is_keyword, is_one_of, named, tokens};

/// Keywords that are offered only after the word that they follow.
const FOLLOWS: &[(&str, &str)] =
    &[("order", "by"), ("group", "by"), ("partition", "by"), ("union", "all"), ("nulls", "last")];

/// A table that a statement names, with its alias in it and its columns, if they are known.
struct Scoped<'a> {
    table: String,
    alias: Option<&'a str>,
    columns: Option<Columns>,
}

/// Returns tables that begin with a word.
pub fn tables(names: &Names, word: &str) -> Vec<Candidate> {
    starting(names.tables.iter().map(Candidate::plain), word)
}

pub fn views(names: &Names, word: &str) -> Vec<Candidate> {
    starting(names.views.iter().map(Candidate::plain), word)
}

pub fn functions(names: &Names, word: &str) -> Vec<Candidate> {
    starting(names.functions.iter().map(Candidate::plain), word)
}

/// Looks up the columns of the views that a statement names.
pub fn prepare(names: &Names, statement: &str) {
    for (table, _) in named(&tokens(statement), |name| names.is_table(name)) {
        names.prepare(&table);
    }
}

/// Returns candidates for the word that is being typed.
pub fn sql(names: &Names, typed: &Typed<'_>) -> Vec<Candidate> {
    let word = typed.word;
    let before = tokens(typed.before);
    let last = before.last().copied().unwrap_or_default();
    if is_one_of(last, &["from", "join", "describe", "desc"]) || last == "," && is_in_from(&before) {
        return tables(names, word);
    }
    let scope = scope(names, &before, typed.after);
    if let Some(path) = compared(&before) {
        let found = ids(names, path, &scope, word);
        if !found.is_empty() {
            return found;
        }
    }
    let keyword = |word: &str| Candidate::plain(cased(word, typed.word));
    if let Some((_, next)) = FOLLOWS.iter().find(|(first, _)| last.eq_ignore_ascii_case(first)) {
        return starting([keyword(next)], word);
    }
    let mut found = Vec::new();
    // No other value can follow a value.
    let is_after_value = !before.is_empty() && !is_keyword(last) && (is_value(last) || last == ")");
    let pending = scope.iter().find(|scoped| scoped.columns.is_none() && names.is_looked_up(&scoped.table));
    if let Some(pending) = pending.filter(|_| word.is_empty() && !is_after_value) {
        return patience(&pending.table);
    }
    if !is_after_value || !word.is_empty() {
        found.extend(columns(&scope, word));
    }
    if !word.is_empty() && !word.contains('.') {
        found.extend(names.functions.iter().map(|name| Candidate { text: format!("{name}("), shown: name.clone() }));
        found.extend(names.tables.iter().map(Candidate::plain));
    }
    if !word.contains('.') && (is_after_value || !word.is_empty() || found.is_empty()) {
        found.extend(KEYWORDS.iter().chain(PHRASES).map(|word| keyword(word)));
    }
    starting(found, word)
}

/// Returns two lines that are shown and change nothing: TAB would insert a single candidate, and none exists yet.
fn patience(table: &str) -> Vec<Candidate> {
    let lines = [format!("the columns of `{table}` are being looked up:"), "press TAB again".to_string()];
    lines.map(|shown| Candidate { text: String::new(), shown }).to_vec()
}

/// Returns the texts that the column compared with the string at the cursor can hold.
pub fn text(names: &Names, typed: &Typed<'_>) -> Vec<Candidate> {
    let before = tokens(typed.before);
    let Some(path) = compared(&before) else { return Vec::new() };
    let scope = scope(names, &before, typed.after);
    let tables: Vec<String> = scope.iter().map(|scoped| scoped.table.clone()).collect();
    let path = scope.iter().find_map(|scoped| scoped.within(path)).unwrap_or(path);
    let Some(texts) = texts(&names.ocsf, &tables, path) else { return Vec::new() };
    // The string gets a closing quote unless it already has one.
    let rest = typed.after.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let quote = if rest.starts_with('\'') { "" } else { "'" };
    let lower = typed.word.to_lowercase();
    let found = texts.known.into_iter().filter(|text| text.to_lowercase().starts_with(&lower));
    found.map(|text| Candidate { text: format!("{}{quote}", text.replace('\'', "''")), shown: text }).collect()
}

impl Scoped<'_> {
    /// Returns the path without the table's name before it.
    fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        let names = [Some(self.table.as_str()), self.alias];
        names.into_iter().flatten().find_map(|name| path.strip_prefix(name)?.strip_prefix('.'))
    }
}

/// Returns the tables that a statement names; all classes and the view over them when it names none.
fn scope<'a>(names: &Names, before: &[&'a str], after: &'a str) -> Vec<Scoped<'a>> {
    let words: Vec<&str> = before.iter().copied().chain(tokens(after)).collect();
    let mut found = named(&words, |name| names.is_table(name));
    if found.is_empty() {
        let classes = names.ocsf.classes().iter().map(|class| class.name.clone());
        found = classes.chain(["event".to_string()]).map(|name| (name, None)).collect();
    }
    let tables: Vec<&str> = found.iter().map(|(table, _)| table.as_str()).collect();
    let columns = names.columns(&tables);
    found.into_iter().zip(columns).map(|((table, alias), columns)| Scoped { table, alias, columns }).collect()
}

/// Returns columns, each to the end of the path's next step.
fn columns(scope: &[Scoped<'_>], word: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for scoped in scope {
        let typed = scoped.within(word).unwrap_or(word);
        let prefix = &word[..word.len() - typed.len()];
        for column in scoped.columns.iter().flat_map(|columns| columns.iter()) {
            found.extend(step(&column.path, typed).map(|step| Candidate::plain(format!("{prefix}{step}"))));
        }
    }
    found
}

/// Returns the ids of the enumeration at `path`; `word` may begin the id or its caption.
fn ids(names: &Names, path: &str, scope: &[Scoped<'_>], word: &str) -> Vec<Candidate> {
    let lower = path.to_lowercase();
    let mut found: BTreeMap<(usize, String), BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut add = |table: &str, path: &str, columns: &Columns| {
        let captions = columns.iter().find(|column| column.path.to_lowercase() == path);
        let captions = captions.and_then(|column| column.captions.as_ref());
        for (id, caption) in captions.iter().flat_map(|captions| captions.entries()) {
            // Numbers are sorted as numbers.
            let captions = found.entry((id.len(), id.clone())).or_default();
            captions.entry(caption.clone()).or_default().push(table.to_string());
        }
        captions.is_some()
    };
    let mut is_known = false;
    for scoped in scope {
        let path = scoped.within(&lower).unwrap_or(&lower);
        is_known |= scoped.columns.as_ref().is_some_and(|columns| add(&scoped.table, path, columns));
    }
    if !is_known {
        // A view has no captions of its own; its columns are those of the classes.
        let path = scope.iter().find_map(|scoped| scoped.within(&lower)).unwrap_or(&lower);
        let classes: Vec<&str> = names.ocsf.classes().iter().map(|class| class.name.as_str()).collect();
        for (class, columns) in classes.iter().zip(names.columns(&classes)) {
            if let Some(columns) = columns {
                add(class, path, &columns);
            }
        }
    }
    let lower = word.to_lowercase();
    let is_meant = |id: &str, captions: &BTreeMap<String, Vec<String>>| {
        id.starts_with(word) || captions.keys().any(|caption| caption.to_lowercase().starts_with(&lower))
    };
    let shown = |id: &str, captions: &BTreeMap<String, Vec<String>>| {
        let texts = captions.iter().map(|(caption, tables)| match captions.len() {
            1 => caption.clone(),
            _ => format!("{caption} ({})", tables.join(", ")),
        });
        format!("{id}  {}", texts.collect::<Vec<_>>().join(", "))
    };
    let meant = found.iter().filter(|((_, id), captions)| is_meant(id, captions));
    let candidates = meant.map(|((_, id), captions)| {
        let text = if id.parse::<i64>().is_ok() { id.clone() } else { format!("'{id}'") };
        Candidate { text, shown: shown(id, captions) }
    });
    candidates.collect()
}

/// Returns whether a word is a value that an operator or another clause follows.
fn is_value(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"'))
}

/// Returns a keyword in the case in which the word before the cursor is typed.
fn cased(keyword: &str, word: &str) -> String {
    if word.chars().next().is_some_and(char::is_uppercase) { keyword.to_uppercase() } else { keyword.to_string() }
}

/// Returns whether the words end in a list of tables.
fn is_in_from(words: &[&str]) -> bool {
    let part = words.iter().rposition(|word| {
        is_one_of(word, &["select", "from", "where", "group", "order", "having", "on", "limit", "by", "("])
    });
    part.is_some_and(|at| words[at].eq_ignore_ascii_case("from"))
}

/// Returns the path up to the end of the step in which `typed` ends, if the path begins like it; lists end it.
fn step(path: &str, typed: &str) -> Option<String> {
    let head = path.get(..typed.len()).filter(|head| head.eq_ignore_ascii_case(typed))?;
    let rest = &path[head.len()..];
    let end = rest.find(['.', '[']);
    Some(match end {
        Some(at) if rest[at..].starts_with('.') => path[..=head.len() + at].to_string(),
        Some(at) => path[..head.len() + at].to_string(),
        None => path.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Ocsf;

    fn names() -> Names {
        Names::of_schema(Ocsf::load(None).unwrap())
    }

    /// Returns candidates at the bar.
    fn offered(text: &str) -> Vec<Candidate> {
        let (head, after) = text.split_once('|').unwrap_or((text, ""));
        let start = head.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).map_or(0, |at| at + 1);
        sql(&names(), &Typed { before: &head[..start], word: &head[start..], after })
    }

    fn texts(text: &str) -> Vec<String> {
        offered(text).into_iter().map(|candidate| candidate.text).collect()
    }

    /// Returns candidates in the string that is open at the bar.
    fn strings(typed: &str) -> Vec<String> {
        let (head, after) = typed.split_once('|').unwrap_or((typed, ""));
        let quote = head.rfind('\'').unwrap();
        let typed = Typed { before: &head[..quote], word: &head[quote + 1..], after };
        text(&names(), &typed).into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn paths_are_offered_step_by_step() {
        assert_eq!(texts("select actor.us| from authentication"), ["actor.user."]);
        let members = texts("select actor.user.| from authentication");
        assert!(members.contains(&"actor.user.uid".to_string()), "{members:?}");
        assert!(members.iter().all(|path| path.starts_with("actor.user.")), "{members:?}");
        assert_eq!(texts("select a.actor.user.email| from authentication a"), ["a.actor.user.email_addr"]);
        assert_eq!(texts("select authentication.actor.user.email| from authentication as b")[0].len(), 36);
        assert_eq!(texts("select privile|\nfrom user_access"), ["privileges"]);
        assert_eq!(texts("SELECT x FROM user_access WHE"), ["WHEN", "WHERE"]);
    }

    #[test]
    fn tables_stand_where_tables_stand() {
        assert_eq!(texts("select 1 from auth"), ["authentication"]);
        assert_eq!(texts("select 1 from authentication a join us"), ["user_access"]);
        assert_eq!(texts("select 1 from authentication, us"), ["user_access"]);
        assert!(texts("select cid").contains(&"cidr_match(".to_string()));
    }

    #[test]
    fn keywords_follow_their_words() {
        assert_eq!(texts("select 1 from authentication order b"), ["by"]);
        assert_eq!(texts("select 1 from authentication order "), ["by"]);
        assert!(texts("select 1 from authentication gro").contains(&"group by".to_string()));
        let after = texts("select 1 from authentication ");
        assert!(after.contains(&"where".to_string()) && !after.contains(&"actor.".to_string()), "{after:?}");
        let columns = texts("select | from authentication");
        assert!(columns.contains(&"actor.".to_string()) && !columns.contains(&"where".to_string()), "{columns:?}");
    }

    #[test]
    fn ids_are_offered_with_their_captions() {
        let logon = offered("select * from authentication where activity_id = ");
        assert!(logon.contains(&Candidate { text: "1".to_string(), shown: "1  Logon".to_string() }), "{logon:?}");
        assert_eq!(logon[0].text, "0");
        assert_eq!(texts("select * from authentication where activity_id = logo"), ["1", "2"]);
        assert_eq!(texts("select * from authentication a where a.activity_id not in (1, Logof"), ["2"]);
        assert_eq!(texts("select * from event where status_id <> fail"), ["2"]);
        let both = offered("select * from event where activity_id = ");
        assert!(both.iter().any(|candidate| candidate.shown.contains("Logon (authentication)")), "{both:?}");
        assert!(texts("select * from authentication where time = ").contains(&"actor.".to_string()));
    }

    #[test]
    fn strings_are_offered_the_texts_of_their_column() {
        assert_eq!(strings("select * from event where outcome = 'su"), ["success'"]);
        assert_eq!(strings("select * from event where outcome = 'su|'"), ["success"]);
        assert_eq!(
            strings("select * from event where outcome in ('success', '"),
            ["success'", "failure'", "other'", "unknown'"]
        );
        assert_eq!(strings("select * from event e where e.class = 'user_a"), ["user_access'"]);
        assert_eq!(strings("select * from authentication where status = 'fail"), ["Failure'"]);
        assert_eq!(strings("select * from account_state('2026-01-31') where outcome = 'su"), ["success'"]);
        assert_eq!(strings("select * from event where message = 'act"), [""; 0]);
        assert_eq!(strings("select '"), [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_completed(before in "[a(,=.' é\n1]{0,30}", word in "[a.é]{0,5}", after in "[a(,=.' é\n1]{0,10}") {
            let names = names();
            let typed = Typed { before: &before, word: &word, after: &after };
            sql(&names, &typed);
            text(&names, &typed);
            prepare(&names, &before);
        }
    }
}
