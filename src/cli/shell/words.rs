//! What may be typed next in a statement: tables, columns step by step along their paths, functions, keywords, and
//! the ids of an enumeration with their captions.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::CommandFactory;

use crate::repl::Candidate;
use crate::schema::Captions;

/// Keywords that begin a part of a query.
const KEYWORDS: &[&str] = &[
    "and",
    "as",
    "asc",
    "between",
    "case",
    "count(*)",
    "desc",
    "distinct",
    "else",
    "end",
    "explain",
    "filter",
    "from",
    "group by",
    "having",
    "ilike",
    "in",
    "is",
    "join",
    "left join",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order by",
    "over",
    "partition by",
    "select",
    "then",
    "union all",
    "using",
    "when",
    "where",
    "with",
];

/// Everything that a session knows by name.
#[derive(Default)]
pub struct Words {
    pub tables: Vec<Table>,
    pub functions: Vec<String>,
}

pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

/// A leaf, its path dotted; `[]` marks lists.
pub struct Column {
    pub path: String,
    pub captions: Option<Arc<Captions>>,
}

impl Words {
    pub fn tables(&self, word: &str) -> Vec<Candidate> {
        starting(self.tables.iter().map(|table| Candidate::plain(&table.name)), word)
    }

    pub fn functions(&self, word: &str) -> Vec<Candidate> {
        starting(self.functions.iter().map(Candidate::plain), word)
    }

    /// What may stand at the end of `before`, in a statement that goes on with `after`.
    pub fn sql(&self, before: &str, after: &str) -> Vec<Candidate> {
        let start = word_start(before);
        let (head, word) = before.split_at(start);
        let head_words = tokens(head);
        let last = head_words.last().copied().unwrap_or_default();
        if is_one_of(last, &["from", "join", "describe", "desc"]) {
            return self.tables(word);
        }
        let all: Vec<&str> = head_words.iter().copied().chain(tokens(after)).collect();
        let scope = self.scope(&all);
        if let Some(path) = compared(&head_words) {
            let ids = self.ids(path, &scope, word);
            if !ids.is_empty() {
                return ids;
            }
        }
        if last.eq_ignore_ascii_case("from,") || (last == "," && is_in_from(&head_words)) {
            return self.tables(word);
        }
        let mut found = self.columns(&scope, word);
        if !word.is_empty() && !word.contains('.') {
            found.extend(self.functions.iter().map(|name| Candidate { text: format!("{name}("), shown: name.clone() }));
            found.extend(self.tables.iter().map(|table| Candidate::plain(&table.name)));
        }
        if !word.contains('.') {
            let is_upper = word.chars().next().is_some_and(char::is_uppercase);
            found.extend(
                KEYWORDS
                    .iter()
                    .map(|name| Candidate::plain(if is_upper { name.to_uppercase() } else { name.to_string() })),
            );
        }
        starting(found, word)
    }

    /// The tables that a statement names, with their other names in it; all tables when it names none.
    fn scope<'a>(&'a self, words: &[&'a str]) -> Vec<(&'a Table, Option<&'a str>)> {
        let table = |name: &str| self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name));
        let mut found = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let Some(table) = table(word) else { continue };
            let is_named = index > 0 && (is_one_of(words[index - 1], &["from", "join"]) || words[index - 1] == ",");
            if !is_named {
                continue;
            }
            let rest = &words[index + 1..];
            let rest = if rest.first().is_some_and(|word| word.eq_ignore_ascii_case("as")) { &rest[1..] } else { rest };
            let alias = rest.first().copied().filter(|word| {
                word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                    && !KEYWORDS.iter().any(|known| known.split(' ').any(|part| part.eq_ignore_ascii_case(word)))
            });
            found.push((table, alias));
        }
        if found.is_empty() { self.tables.iter().map(|table| (table, None)).collect() } else { found }
    }

    /// Columns, each to the end of the path's next step.
    fn columns(&self, scope: &[(&Table, Option<&str>)], word: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (table, alias) in scope {
            let prefixes = [Some(table.name.as_str()), *alias];
            let is_before = |name: &&str| word.strip_prefix(*name).is_some_and(|rest| rest.starts_with('.'));
            let prefix = prefixes.into_iter().flatten().find(is_before);
            let (prefix, typed) = match prefix {
                Some(name) => word.split_at(name.len() + 1),
                None => ("", word),
            };
            for column in &table.columns {
                if let Some(step) = step(&column.path, typed) {
                    found.push(Candidate::plain(format!("{prefix}{step}")));
                }
            }
        }
        found
    }

    /// The ids of the enumeration at `path`; `word` may begin the id or its caption.
    fn ids(&self, path: &str, scope: &[(&Table, Option<&str>)], word: &str) -> Vec<Candidate> {
        let path_of = |table: &Table, alias: Option<&str>| {
            let names = [Some(table.name.as_str()), alias];
            let stripped = names.into_iter().flatten().find_map(|name| path.strip_prefix(name)?.strip_prefix('.'));
            stripped.unwrap_or(path).to_lowercase()
        };
        let captions_in = |scope: &[(&Table, Option<&str>)]| {
            let mut found: BTreeMap<(usize, String), BTreeMap<String, Vec<String>>> = BTreeMap::new();
            for (table, alias) in scope {
                let path = path_of(table, *alias);
                let column = table.columns.iter().find(|column| column.path.to_lowercase() == path);
                let Some(captions) = column.and_then(|column| column.captions.as_ref()) else { continue };
                for (id, caption) in captions.entries() {
                    // Numbers in the order of numbers.
                    let captions = found.entry((id.len(), id.clone())).or_default();
                    captions.entry(caption.clone()).or_default().push(table.name.clone());
                }
            }
            found
        };
        let mut found = captions_in(scope);
        if found.is_empty() {
            // A view has no captions of its own; its columns are those of the classes.
            found = captions_in(&self.tables.iter().map(|table| (table, None)).collect::<Vec<_>>());
        }
        let lower = word.to_lowercase();
        let is_meant = |id: &str, captions: &BTreeMap<String, Vec<String>>| {
            id.starts_with(word) || captions.keys().any(|caption| caption.to_lowercase().starts_with(&lower))
        };
        let shown = |id: &str, captions: &BTreeMap<String, Vec<String>>| {
            let texts: Vec<String> = captions
                .iter()
                .map(|(caption, tables)| match captions.len() {
                    1 => caption.clone(),
                    _ => format!("{caption} ({})", tables.join(", ")),
                })
                .collect();
            format!("{id}  {}", texts.join(", "))
        };
        found
            .iter()
            .filter(|((_, id), captions)| is_meant(id, captions))
            .map(|((_, id), captions)| {
                let is_number = id.parse::<i64>().is_ok();
                let text = if is_number { id.clone() } else { format!("'{id}'") };
                Candidate { text, shown: shown(id, captions) }
            })
            .collect()
    }
}

/// The program's commands, their subcommands and flags.
pub fn program(line: &str) -> Vec<Candidate> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let word = if line.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let mut command = super::super::Cli::command();
    for name in words {
        if let Some(inner) = command.find_subcommand(name) {
            command = inner.clone();
        }
    }
    let flags = command.get_arguments().filter_map(|argument| argument.get_long());
    let candidates: Vec<String> = match word.starts_with('-') {
        true => flags.map(|flag| format!("--{flag}")).collect(),
        false => command.get_subcommands().map(|command| command.get_name().to_string()).collect(),
    };
    starting(candidates.into_iter().map(Candidate::plain), word)
}

/// Where the word at the end begins; a dotted path is one word.
fn word_start(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    text.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(text.len(), |(at, _)| at)
}

/// Words and operators, as far as completion needs them.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_operator = |c: char| matches!(c, '=' | '<' | '>' | '!');
        let length = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c if is_operator(c) => rest.find(|c| !is_operator(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

/// The path that the next word is compared with: `a.b = `, `a.b in (1, `.
fn compared<'a>(words: &[&'a str]) -> Option<&'a str> {
    let is_path = |word: &&&str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let (last, rest) = words.split_last()?;
    if matches!(*last, "=" | "==" | "!=" | "<>") {
        return rest.last().filter(is_path).copied();
    }
    // Back over the values of a list.
    let open = words.iter().rposition(|word| !matches!(*word, "," | "'") && word.parse::<i64>().is_err())?;
    let (before, list) = words.split_at(open);
    let is_list = list.first() == Some(&"(") && matches!(*last, "(" | ",");
    let (keyword, before) = before.split_last().filter(|_| is_list)?;
    let before = match keyword.eq_ignore_ascii_case("in") {
        true if before.last().is_some_and(|word| word.eq_ignore_ascii_case("not")) => &before[..before.len() - 1],
        true => before,
        false => return None,
    };
    before.last().filter(is_path).copied()
}

/// Whether the words end in a list of tables.
fn is_in_from(words: &[&str]) -> bool {
    let part = words.iter().rposition(|word| {
        is_one_of(word, &["select", "from", "where", "group", "order", "having", "on", "limit", "by", "("])
    });
    part.is_some_and(|at| words[at].eq_ignore_ascii_case("from"))
}

fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The path up to the end of the step in which `typed` ends, if the path begins like it; lists end it.
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

fn starting(candidates: impl IntoIterator<Item = Candidate>, word: &str) -> Vec<Candidate> {
    let begins = |text: &str| text.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word));
    let mut found: Vec<Candidate> = candidates.into_iter().filter(|candidate| begins(&candidate.text)).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Ocsf;

    fn words() -> Words {
        let ocsf = Ocsf::load(None).unwrap();
        let columns = |class: &crate::schema::EventClass| {
            let leaves = class.describe().into_iter().filter(|field| field.is_leaf);
            leaves.map(|field| Column { path: field.path, captions: field.captions }).collect()
        };
        let tables = ocsf.classes().iter().map(|class| Table { name: class.name.clone(), columns: columns(class) });
        Words { tables: tables.collect(), functions: vec!["cidr_match".to_string(), "count".to_string()] }
    }

    fn texts(before: &str, after: &str) -> Vec<String> {
        words().sql(before, after).into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn paths_are_offered_step_by_step() {
        assert_eq!(texts("select actor.us", " from authentication"), ["actor.user."]);
        let members = texts("select actor.user.", " from authentication");
        assert!(members.contains(&"actor.user.uid".to_string()), "{members:?}");
        assert!(members.iter().all(|path| path.starts_with("actor.user.")), "{members:?}");
        assert_eq!(texts("select a.actor.user.email", " from authentication a"), ["a.actor.user.email_addr"]);
        assert_eq!(texts("select authentication.actor.user.email", " from authentication as b")[0].len(), 36);
        assert_eq!(texts("select privile", "\nfrom user_access"), ["privileges"]);
        assert_eq!(texts("SELECT x FROM user_access WHE", ""), ["WHEN", "WHERE"]);
    }

    #[test]
    fn tables_stand_where_tables_stand() {
        assert_eq!(texts("select 1 from auth", ""), ["authentication"]);
        assert_eq!(texts("select 1 from authentication a join us", ""), ["user_access"]);
        assert_eq!(texts("select 1 from authentication, us", ""), ["user_access"]);
        assert!(texts("select cid", "").contains(&"cidr_match(".to_string()));
    }

    #[test]
    fn ids_are_offered_with_their_captions() {
        let logon = words().sql("select * from authentication where activity_id = ", "");
        assert!(logon.contains(&Candidate { text: "1".to_string(), shown: "1  Logon".to_string() }), "{logon:?}");
        assert_eq!(logon[0].text, "0");
        assert_eq!(texts("select * from authentication where activity_id = logo", ""), ["1", "2"]);
        assert_eq!(texts("select * from authentication a where a.activity_id not in (1, Logof", ""), ["2"]);
        assert_eq!(texts("select * from event where status_id <> fail", ""), ["2"]);
        let both = words().sql("select * from event where activity_id = ", "");
        assert!(both.iter().any(|candidate| candidate.shown.contains("Logon (authentication)")), "{both:?}");
        assert!(texts("select * from authentication where time = ", "").contains(&"actor.".to_string()));
    }

    #[test]
    fn commands_of_the_program_are_offered() {
        let texts = |line: &str| program(line).into_iter().map(|candidate| candidate.text).collect::<Vec<_>>();
        assert!(texts("report ").contains(&"run".to_string()));
        assert_eq!(texts("report sho"), ["show"]);
        assert!(texts("ingest --dry").contains(&"--dry-run".to_string()));
        assert!(texts("ingest x").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_completed(before in "[a(,=.' é\n1]{0,30}", after in "[a(,=.' é\n1]{0,10}") {
            let words = Words {
                tables: vec![Table {
                    name: "a".to_string(),
                    columns: vec![Column { path: "é.a[].b".to_string(), captions: None }],
                }],
                functions: Vec::new(),
            };
            words.sql(&before, &after);
        }
    }
}
