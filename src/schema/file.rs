//! The form of the files in `schemas/`; `load` decides what may be in them.
//!
//! Parsing keeps the order of attributes, which is the order of columns, and refuses duplicated and unknown keys and
//! unknown scalar types, so that the parser's own line number is right.

use std::fmt;
use std::marker::PhantomData;

use hashbrown::HashSet;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{Kind, Requirement};

/// `<class>.json`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassFile {
    pub ocsf: String,
    pub caption: String,
    pub uid: Option<i64>,
    pub category_uid: Option<i64>,
    pub attributes: Ordered<Spec>,
    #[serde(default)]
    pub cut: Vec<String>,
    #[serde(default = "Ordered::empty")]
    pub left_out: Ordered<Vec<String>>,
    /// Ids by parent and name; those of removed columns stay, so that they are not given again.
    #[serde(default = "Ordered::empty")]
    pub ids: Ordered<Ordered<i32>>,
}

/// `objects.json`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectsFile {
    pub ocsf: String,
    pub objects: Ordered<Ordered<Spec>>,
}

/// One attribute as the file writes it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// A scalar (`..._t`), `object`, or the name of an object.
    pub base: String,
    pub is_list: bool,
    pub requirement: Requirement,
    pub is_deprecated: bool,
    pub sibling: Option<String>,
    pub captions: Option<Vec<(String, String)>>,
}

/// Returns how a scalar type of OCSF, or the free-form object, is stored; `None` for other types.
pub fn scalar(base: &str) -> Option<Kind> {
    Some(match base {
        "timestamp_t" => Kind::Time,
        "integer_t" | "long_t" | "port_t" => Kind::Long,
        "float_t" => Kind::Double,
        "boolean_t" => Kind::Boolean,
        "json_t" | "object" => Kind::Json,
        // Dates are among them: offset and digits as they came are evidence.
        "string_t" | "bytestring_t" | "datetime_t" | "email_t" | "file_hash_t" | "file_name_t" | "file_path_t"
        | "hostname_t" | "ip_t" | "mac_t" | "process_name_t" | "reg_key_path_t" | "resource_uid_t" | "subnet_t"
        | "url_t" | "username_t" | "uuid_t" => Kind::Text,
        _ => return None,
    })
}

/// Returns whether a text is a table, column or object name that every reader of Parquet and Delta takes without quotes.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Spec {
    /// Reads `base[]!~`: a list, required (`+` recommended), deprecated; all but the base are optional.
    fn parse(text: &str) -> Result<Spec, String> {
        let (rest, is_deprecated) = suffix(text, "~");
        let (rest, is_required) = suffix(rest, "!");
        let (rest, is_recommended) = suffix(rest, "+");
        let (base, is_list) = suffix(rest, "[]");
        let is_known = if base.ends_with("_t") { scalar(base).is_some() } else { is_name(base) };
        if !is_known || (is_required && is_recommended) {
            return Err(format!("unknown type `{text}`"));
        }
        let requirement = match (is_required, is_recommended) {
            (true, _) => Requirement::Required,
            (_, true) => Requirement::Recommended,
            _ => Requirement::Optional,
        };
        Ok(Spec { base: base.to_owned(), is_list, requirement, is_deprecated, sibling: None, captions: None })
    }
}

fn suffix<'a>(text: &'a str, mark: &str) -> (&'a str, bool) {
    text.strip_suffix(mark).map_or((text, false), |rest| (rest, true))
}

/// An attribute with an enumeration or a sibling.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LongSpec {
    r#type: String,
    sibling: Option<String>,
    r#enum: Option<Ordered<String>>,
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spec, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Spec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type such as \"string_t!\", or an object with `type`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Spec, E> {
                Spec::parse(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Spec, A::Error> {
                let long = LongSpec::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let spec = Spec::parse(&long.r#type).map_err(A::Error::custom)?;
                Ok(Spec { sibling: long.sibling, captions: long.r#enum.map(|captions| captions.0), ..spec })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A JSON object in the order of the file, each key once.
#[derive(Debug)]
pub struct Ordered<V>(pub Vec<(String, V)>);

impl<V> Ordered<V> {
    fn empty() -> Self {
        Ordered(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Ordered<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut entries, mut seen) = (Vec::new(), HashSet::new());
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format!("`{key}` is given twice")));
                    }
                    entries.push((key, map.next_value()?));
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}
