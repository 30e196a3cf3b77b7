//! Descriptions of a class for people and queries: paths, types, captions, and the nearest name to a wrong one.

use std::sync::Arc;

use ::arrow::datatypes::DataType;

use super::{Attribute, Captions, EventClass, Kind, OWN_COLUMNS, Object, Requirement, arrow};

/// One path of a class: a column, a member of a struct, or a struct.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// Dotted, lists marked: `actor.user.uid`, `privileges[]`, `policies[].name`.
    pub path: String,
    /// The Arrow type as text: "Utf8", "List<Utf8>", "Struct".
    pub arrow_type: String,
    /// The type of a value; for a list, that of its items.
    pub data_type: DataType,
    /// The OCSF type, "object:user"; empty for our own columns.
    pub ocsf_type: String,
    pub requirement: Requirement,
    pub captions: Option<Arc<Captions>>,
    pub storage: Storage,
    /// Whether it is a leaf column of the file and not a struct.
    pub is_leaf: bool,
    pub is_deprecated: bool,
}

/// The way in which a path is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In a column of its own type.
    Typed,
    /// As the JSON text of whatever the value is.
    Cut,
    /// Made by us, not part of OCSF.
    Ours,
}

impl Storage {
    pub fn as_str(self) -> &'static str {
        match self {
            Storage::Typed => "typed",
            Storage::Cut => "cut",
            Storage::Ours => "ours",
        }
    }
}

impl EventClass {
    /// Lists every path of the class in column order, depth first, then our own columns.
    pub fn describe(&self) -> Vec<FieldInfo> {
        let mut found = Vec::new();
        walk(&self.root, "", &mut found);
        // The object tree does not contain our columns; their types are in the Arrow schema, at its end.
        for (name, field) in OWN_COLUMNS.iter().zip(&self.arrow.fields()[self.root.attributes.len()..]) {
            found.push(FieldInfo {
                path: (*name).to_owned(),
                arrow_type: arrow::type_text(field.data_type()),
                data_type: field.data_type().clone(),
                ocsf_type: String::new(),
                requirement: Requirement::Optional,
                captions: None,
                storage: Storage::Ours,
                is_leaf: true,
                is_deprecated: false,
            });
        }
        found
    }

    /// Counts the leaf columns, ours included.
    pub fn leaves(&self) -> usize {
        arrow::leaves(&self.root) + OWN_COLUMNS.len()
    }

    /// Returns the attribute at a dotted path; lists count as their items, `[]` is optional.
    pub fn attribute(&self, path: &str) -> Option<&Attribute> {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut object: &Object = &self.root;
        for segment in parents.split('.').filter(|segment| !segment.is_empty()) {
            match &member(object, segment)?.kind {
                Kind::Object(inner) => object = inner,
                _ => return None,
            }
        }
        member(object, last)
    }

    /// Returns the caption of an enumeration's id.
    pub fn caption_of(&self, path: &str, id: i64) -> Option<&str> {
        self.attribute(path)?.captions.as_ref()?.get(id)
    }

    /// Returns the path, without `[]`, that a user who wrote `wrong` most likely meant.
    pub fn nearest_path(&self, wrong: &str) -> Option<String> {
        let asked = wrong.replace("[]", "");
        let lower = asked.to_lowercase();
        // A user who wrote the path itself has another problem, and the path does not help.
        let paths = self.describe().into_iter().map(|field| field.path.replace("[]", "")).filter(|path| *path != asked);
        let scored = paths.map(|path| (likeness(&lower, &path), path));
        // Of equals the shorter path wins: people see it first.
        let best = scored.max_by(|(a, left), (b, right)| a.total_cmp(b).then(right.len().cmp(&left.len())));
        best.filter(|(score, _)| *score >= 0.8).map(|(_, path)| path)
    }
}

fn member<'a>(object: &'a Object, segment: &str) -> Option<&'a Attribute> {
    let name = segment.strip_suffix("[]").unwrap_or(segment);
    object.index_of(name).map(|at| &object.attributes[at])
}

fn walk(object: &Object, prefix: &str, found: &mut Vec<FieldInfo>) {
    for attribute in &object.attributes {
        let mark = if attribute.is_list { "[]" } else { "" };
        let path = format!("{prefix}{}{mark}", attribute.name);
        let is_cut = matches!(attribute.kind, Kind::Json);
        let field = arrow::field(attribute);
        found.push(FieldInfo {
            path: path.clone(),
            arrow_type: arrow::type_text(field.data_type()),
            data_type: match field.data_type() {
                DataType::List(item) => item.data_type().clone(),
                other => other.clone(),
            },
            ocsf_type: attribute.ocsf_type.clone(),
            requirement: attribute.requirement,
            captions: attribute.captions.clone(),
            storage: if is_cut { Storage::Cut } else { Storage::Typed },
            is_leaf: !matches!(attribute.kind, Kind::Object(_)),
            is_deprecated: attribute.is_deprecated,
        });
        if let Kind::Object(inner) = &attribute.kind {
            walk(inner, &format!("{path}."), found);
        }
    }
}

/// Returns how much alike two paths are, 0 to 1.
///
/// Misspellings keep the letters (`actor.user.uuid`); guesses keep some of the words (`actor_email` for
/// `actor.user.email_addr`). Either may win.
fn likeness(wrong: &str, path: &str) -> f64 {
    let letters = strsim::normalized_damerau_levenshtein(wrong, path);
    let words =
        |text: &str| text.split(['.', '_']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (asked, offered) = (words(wrong), words(path));
    let best = |word: &String| offered.iter().map(|other| strsim::jaro(word, other)).fold(0.0, f64::max);
    let covered = asked.iter().map(best).sum::<f64>() / asked.len().max(1) as f64;
    // Surplus words count a little against it.
    let surplus = offered.len().saturating_sub(asked.len()) as f64;
    letters.max(covered - 0.05 * surplus)
}
