//! The attributes that classes share, with one type for all of them.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::{DataType, Field, Fields};

use crate::schema::{Attribute, EventClass, Kind, OWN_COLUMNS, Ocsf};

/// A column of `event` that is an attribute of OCSF, or one of ours.
pub struct Member {
    pub name: String,
    /// As SQL has it for `arrow_cast`.
    pub arrow_type: String,
}

/// The shared attributes: those that most classes have. A struct has the members of all classes; what classes store in
/// different ways is left out, member or attribute, for null there would say that there is none.
pub fn members(ocsf: &Ocsf) -> Vec<Member> {
    let classes = ocsf.classes();
    let mut counted: HashMap<&str, usize> = HashMap::new();
    for class in classes {
        class.root.attributes.iter().for_each(|attribute| *counted.entry(&attribute.name).or_default() += 1);
    }
    let mut found: Vec<Member> = Vec::new();
    for class in std::iter::once(ocsf.other()).chain(classes) {
        for attribute in &class.root.attributes {
            let name = &attribute.name;
            let is_shared = 2 * counted[name.as_str()] > classes.len();
            if !is_shared || found.iter().any(|member| member.name == *name) {
                continue;
            }
            let all = std::iter::once(ocsf.other()).chain(classes);
            let types: Vec<&DataType> =
                all.filter_map(|class| Some(class.arrow.field_with_name(name).ok()?.data_type())).collect();
            if let Some(merged) = merged(&types) {
                found.push(Member { name: name.clone(), arrow_type: merged.to_string() });
            }
        }
    }
    found.extend(
        OWN_COLUMNS.iter().map(|name| Member { name: name.to_string(), arrow_type: arrow_type(ocsf.other(), name) }),
    );
    found
}

/// One type for values of several; `None` when they have nothing in common.
fn merged(types: &[&DataType]) -> Option<DataType> {
    let (first, rest) = types.split_first()?;
    if rest.iter().all(|other| other == first) {
        return Some((*first).clone());
    }
    let structs: Option<Vec<&Fields>> = types
        .iter()
        .map(|data_type| match data_type {
            DataType::Struct(fields) => Some(fields),
            _ => None,
        })
        .collect();
    let structs = structs?;
    let mut made: Vec<Field> = Vec::new();
    let mut seen = HashSet::new();
    for field in structs.iter().flat_map(|fields| fields.iter()).filter(|field| seen.insert(field.name())) {
        let of_name = structs.iter().filter_map(|fields| Some(fields.find(field.name())?.1.data_type()));
        if let Some(merged) = merged(&of_name.collect::<Vec<_>>()) {
            made.push(Field::new(field.name(), merged, true));
        }
    }
    Some(DataType::Struct(made.into()))
}

/// The type of a column as `arrow_cast` reads it.
pub fn arrow_type(class: &EventClass, column: &str) -> String {
    class.arrow.field_with_name(column).map(|field| field.data_type().to_string()).unwrap_or_default()
}

/// The type of the null that stands for an attribute which a class does not have: that of the first class with it.
///
/// Members within lists have no path. A struct is never asked for as a whole but by `names`, which takes a list of text.
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
    fn a_struct_has_the_members_of_all_classes() {
        let text = DataType::Utf8;
        let of = |fields: &[(&str, &DataType)]| {
            let fields = fields.iter().map(|(name, data_type)| Field::new(*name, (*data_type).clone(), true));
            DataType::Struct(fields.collect())
        };
        let (one, other) = (of(&[("uid", &text), ("n", &text)]), of(&[("n", &DataType::Int64), ("name", &text)]));
        // What is a number here and a text there is in neither, whatever a third one says.
        assert_eq!(merged(&[&one, &other, &of(&[("n", &text)])]), Some(of(&[("uid", &text), ("name", &text)])));
        assert_eq!(merged(&[&one, &text]), None);
        let ocsf = Ocsf::load(None).unwrap();
        let user = members(&ocsf).into_iter().find(|member| member.name == "user").unwrap();
        assert_ne!(arrow_type(ocsf.by_uid(3001).unwrap(), "user"), arrow_type(ocsf.by_uid(3002).unwrap(), "user"));
        assert!(
            user.arrow_type.contains("email_addr") && user.arrow_type.contains("risk_score"),
            "{}",
            user.arrow_type
        );
    }

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
