//! The attributes that classes share, with one type for all of them.

use std::collections::HashMap;

use crate::schema::{Attribute, EventClass, Kind, OWN_COLUMNS, Ocsf};

/// A column of `event` that is an attribute of OCSF, or one of ours.
pub struct Member {
    pub name: String,
    /// As SQL has it for `arrow_cast`.
    pub arrow_type: String,
}

/// The shared attributes: those that most classes have. Each has the type that `other_event` has, or else the first class
/// with it; a class that stores one in another way has null there.
pub fn members(ocsf: &Ocsf) -> Vec<Member> {
    let classes = ocsf.classes();
    let mut counted: HashMap<&str, usize> = HashMap::new();
    for class in classes {
        class.root.attributes.iter().for_each(|attribute| *counted.entry(&attribute.name).or_default() += 1);
    }
    let mut found: Vec<Member> = Vec::new();
    for class in std::iter::once(ocsf.other()).chain(classes) {
        for attribute in &class.root.attributes {
            let is_shared = 2 * counted[attribute.name.as_str()] > classes.len();
            if is_shared && found.iter().all(|member| member.name != attribute.name) {
                found.push(Member { name: attribute.name.clone(), arrow_type: arrow_type(class, &attribute.name) });
            }
        }
    }
    found.extend(
        OWN_COLUMNS.iter().map(|name| Member { name: name.to_string(), arrow_type: arrow_type(ocsf.other(), name) }),
    );
    found
}

/// The type of a column as `arrow_cast` reads it.
pub fn arrow_type(class: &EventClass, column: &str) -> String {
    class.arrow.field_with_name(column).map(|field| field.data_type().to_string()).unwrap_or_default()
}

/// The type of the null that stands for an attribute which a class does not have: that of the first class with it.
///
/// What is within lists has no path. A struct is never asked for as a whole but by `names`, which takes a list of text.
pub fn null_type(ocsf: &Ocsf, path: &str) -> &'static str {
    let known = ocsf.classes().iter().find_map(|class| attribute(class, path));
    match known.map(|attribute| (attribute.is_list, &attribute.kind)) {
        Some((true, _)) => "List(Utf8)",
        Some((false, Kind::Long)) => "Int64",
        Some((false, Kind::Double)) => "Float64",
        Some((false, Kind::Boolean)) => "Boolean",
        Some((false, Kind::Time)) => "Timestamp(Microsecond, Some(\"UTC\"))",
        _ => "Utf8",
    }
}

/// The attribute at a path that leads through structs only.
pub fn attribute<'a>(class: &'a EventClass, path: &str) -> Option<&'a Attribute> {
    let mut object = &class.root;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let attribute = &object.attributes[object.index_of(name)?];
        match (&attribute.kind, names.peek()) {
            (_, None) => return Some(attribute),
            (Kind::Object(inner), Some(_)) if !attribute.is_list => object = inner,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_attributes_are_shared_and_have_one_type() {
        let ocsf = Ocsf::load(None).unwrap();
        let members = members(&ocsf);
        for name in ["time", "metadata", "actor", "src_endpoint", "device", "http_request", "observables", "_extra"] {
            let member = members.iter().find(|member| member.name == name).unwrap();
            for class in ocsf.classes().iter().filter(|class| class.arrow.field_with_name(name).is_ok()) {
                assert_eq!(member.arrow_type, arrow_type(class, name), "{} {name}", class.name);
            }
        }
        assert!(members.iter().all(|member| member.name != "privileges" && member.name != "entity"));
        assert_eq!(null_type(&ocsf, "actor.user.type_id"), "Int64");
        assert_eq!(null_type(&ocsf, "privileges"), "List(Utf8)");
        assert_eq!(null_type(&ocsf, "no.such.path"), "Utf8");
        assert!(attribute(ocsf.by_uid(3001).unwrap(), "policies.name").is_none());
    }
}
