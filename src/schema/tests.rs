//! Tests the embedded classes against the facts, and files that must be refused.

use std::fs;
use std::path::Path;

use ::arrow::datatypes::{DataType, Field};
use serde_json::Value;

use super::*;
use crate::error::Kind as ErrorKind;

const IAM: [i64; 5] = [3001, 3002, 3004, 3005, 3006];

fn ocsf() -> Ocsf {
    Ocsf::load(None).unwrap()
}

fn shared(file: &str) -> Value {
    let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/{}"), file);
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

fn datastore_activity() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemas/datastore_activity.json")).unwrap()
}

/// Loads a folder that holds these files.
fn load_with(files: &[(&str, &str)]) -> Result<Ocsf> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Ocsf::load(Some(folder.path()))
}

/// Writes a class file with these attributes beside the two that every class needs.
fn class_file(attributes: &str, rest: &str) -> String {
    format!(
        "{{\n\"ocsf\": \"1.6.0\", \"caption\": \"Made Up\", \"uid\": 9001,\n\"attributes\": {{\n\
         \"time\": \"timestamp_t!\",\n\"class_uid\": \"integer_t!\",\n{attributes}\n}}{rest}\n}}\n"
    )
}

/// Returns the fault of one file, without the folder that it is in.
fn refusal(name: &str, text: &str) -> String {
    let error = load_with(&[(name, text)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let message = error.to_string();
    let at = message.find(name).unwrap_or_else(|| panic!("{message} does not name {name}"));
    message[at..].to_owned()
}

#[test]
fn classes_come_by_uid_and_other_event_is_the_last() {
    let ocsf = ocsf();
    let names: Vec<_> = ocsf.classes().iter().map(|class| class.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "account_change",
            "authentication",
            "entity_management",
            "user_access",
            "group_management",
            "api_activity",
            "other_event"
        ]
    );
    assert_eq!(ocsf.version(), "1.6.0");
    assert_eq!(ocsf.by_uid(3005).unwrap().caption, "User Access Management");
    assert_eq!(ocsf.by_name("other_event").unwrap().uid, None);
    assert_eq!(ocsf.other().name, "other_event");
    assert!(ocsf.by_uid(0).is_none());
}

#[test]
fn no_class_has_more_than_256_leaves() {
    for class in ocsf().classes() {
        assert!(class.leaves() <= MAX_LEAVES);
        let described = class.describe().iter().filter(|field| field.is_leaf).count();
        assert_eq!(described, class.leaves());
    }
}

#[test]
fn our_columns_are_the_last_and_everything_is_nullable() {
    for class in ocsf().classes() {
        let fields = class.arrow.fields();
        assert_eq!(fields.len(), class.root.attributes.len() + OWN_COLUMNS.len());
        let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
        assert!(names.ends_with(&["message", "unmapped", "_event_uid", "_batch", "_source", "_digest", "_extra"]));
        assert_eq!(names[0], "time");
        assert!(fields.iter().all(|field| field.is_nullable()));
        assert_eq!(class.attribute("id").unwrap().ocsf_type, "string_t");
    }
}

#[test]
fn types_become_arrow_types() {
    let ocsf = ocsf();
    let class = ocsf.by_uid(3001).unwrap();
    let of = |path: &str| class.describe().into_iter().find(|field| field.path == path).unwrap().arrow_type;
    assert_eq!(of("time"), "Timestamp(us, UTC)");
    assert_eq!(of("time_dt"), "Utf8");
    assert_eq!(of("type_uid"), "Int64");
    assert_eq!(of("device.location.lat"), "Float64");
    assert_eq!(of("user.has_mfa"), "Boolean");
    assert_eq!(of("http_request.x_forwarded_for[]"), "List<Utf8>");
    assert_eq!(of("policies[]"), "List<Struct>");
    assert_eq!(of("policies[].name"), "Utf8");
    assert_eq!(of("_batch"), "Int64");
    let policies = class.arrow.field_with_name("policies").unwrap();
    let ::arrow::datatypes::DataType::List(item) = policies.data_type() else { panic!("{policies}") };
    assert_eq!(item.name(), "element");
}

#[test]
fn a_cut_attribute_is_one_json_text() {
    let ocsf = ocsf();
    for (uid, path) in [(3001, "actor.process"), (3002, "certificate"), (3001, "policy.data"), (3004, "enrichments")] {
        let attribute = ocsf.by_uid(uid).unwrap().attribute(path).unwrap();
        assert!(matches!(attribute.kind, Kind::Json), "{path}");
        assert!(!attribute.is_list, "{path}");
    }
    let unmapped = ocsf.other().attribute("unmapped").unwrap();
    assert!(matches!(unmapped.kind, Kind::Json));
    assert_eq!(unmapped.ocsf_type, "object");
}

#[test]
fn everything_the_api_declares_is_typed() {
    let (ocsf, api) = (ocsf(), shared("audit-log-api/entries.schema.json"));
    let objects = &api["objects"];
    for uid in IAM {
        let class = ocsf.by_uid(uid).unwrap();
        let mut declared = 0;
        let mut check = |model: &str, prefix: &str, inner: &mut Vec<(String, String)>| {
            for field in objects[model].as_array().unwrap() {
                let path = format!("{prefix}{}", field["name"].as_str().unwrap());
                let found = class.attribute(&path).unwrap_or_else(|| panic!("{}: no {path}", class.name));
                let fits = match (field["type"].as_str().unwrap(), &found.kind) {
                    ("object:JSON", Kind::Object(_)) => true,
                    ("object:JSON", Kind::Json) => path == "unmapped",
                    ("string", Kind::Text) | ("long", Kind::Time) => !found.is_list,
                    ("int" | "long", Kind::Long) => !found.is_list,
                    ("array<string>", Kind::Text) => found.is_list,
                    (model, Kind::Object(_)) => {
                        inner.push((model.strip_prefix("object:").unwrap().to_owned(), format!("{path}.")));
                        true
                    }
                    _ => false,
                };
                assert!(fits, "{}: {path} is {:?}", class.name, found.kind);
                declared += 1;
            }
        };
        let mut todo = vec![("WorkspaceAuditLogEntryResponse".to_owned(), String::new())];
        while let Some((model, prefix)) = todo.pop() {
            check(&model, &prefix, &mut todo);
        }
        assert!(declared > 35, "{declared}");
    }
}

/// Attributes that are rarely sent and have no column of their own: the conventions read them in `_extra` and in the
/// JSON of truncated structs.
const READ_AS_JSON: [&str; 3] =
    ["src_endpoint.location.coordinates", "device.location.coordinates", "http_response.code"];

#[test]
fn everything_the_reports_use_is_typed() {
    let (ocsf, catalogue, facts) = (ocsf(), shared("reports/catalogue.json"), shared("ocsf/1.6.0/schema.json"));
    let mut checked = 0;
    for report in catalogue["reports"].as_array().unwrap() {
        for field in ["fields", "optional_fields"].iter().filter_map(|key| report[key].as_array()).flatten() {
            let (scope, path) = field.as_str().unwrap().split_once('.').unwrap();
            if READ_AS_JSON.contains(&path) {
                continue;
            }
            let classes = ocsf.classes().iter().filter(|class| class.uid.is_some());
            for class in classes.filter(|class| scope == "*" || class.uid == scope.parse().ok()) {
                let first = path.split('.').next().unwrap();
                if scope == "*" && facts["classes"][&class.name]["attributes"][first].is_null() {
                    continue;
                }
                let found = class.attribute(path).unwrap_or_else(|| panic!("{}: no {path}", class.name));
                assert!(path == "unmapped" || !matches!(found.kind, Kind::Json), "{}: {path} is cut", class.name);
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn types_lists_requirements_and_captions_are_as_ocsf_has_them() {
    // The five classes of schema.json lack the profile `cloud`; all-classes.json has every profile.
    let (five, facts) = (shared("ocsf/1.6.0/schema.json"), shared("ocsf/1.6.0/all-classes.json"));
    let mut checked = 0;
    for class in ocsf().classes() {
        let source = if class.uid.is_some() { &class.name } else { "base_event" };
        for name in five["classes"][source]["attributes"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(class.root.index_of(name).is_some(), "{}: no {name}", class.name);
        }
        compare(&facts, &facts["classes"][source]["attributes"], &class.root, &mut checked);
    }
    assert!(checked > 1000, "{checked}");
}

fn compare(facts: &Value, expected: &Value, object: &Object, checked: &mut usize) {
    for attribute in &object.attributes {
        let fact = &expected[&attribute.name];
        if fact.is_null() {
            // The audit-log API has this attribute itself.
            assert_eq!(attribute.name, "id", "{}", object.name);
            continue;
        }
        *checked += 1;
        let what = format!("{}.{}", object.name, attribute.name);
        let expected_type = match (fact["type"].as_str().unwrap(), fact["object_type"].as_str()) {
            ("object_t", Some("object")) => "object".to_owned(),
            ("object_t", Some(name)) => format!("object:{name}"),
            (scalar, _) => scalar.to_owned(),
        };
        assert_eq!(attribute.ocsf_type, expected_type, "{what}");
        assert_eq!(attribute.requirement.as_str(), fact["requirement"], "{what}");
        assert_eq!(attribute.sibling.as_deref(), fact["sibling"].as_str(), "{what}");
        let is_array = fact["is_array"].as_bool().unwrap_or(false);
        assert_eq!(attribute.is_list, is_array && !matches!(attribute.kind, Kind::Json), "{what}");
        let captions = attribute.captions.as_ref().map_or(0, |captions| captions.entries().len());
        assert_eq!(captions, fact["enum"].as_object().map_or(0, serde_json::Map::len), "{what}");
        if let Kind::Object(inner) = &attribute.kind {
            compare(facts, &facts["objects"][&inner.name]["attributes"], inner, checked);
        }
    }
}

#[test]
fn shared_structs_are_the_same_in_every_class() {
    let ocsf = load_with(&[("datastore_activity.json", &datastore_activity())]).unwrap();
    let first = ocsf.by_uid(3001).unwrap();
    for name in ["actor", "device", "metadata", "cloud", "api", "src_endpoint", "http_request", "observables"] {
        let expected = first.arrow.field_with_name(name).unwrap();
        for class in ocsf.classes() {
            if let Ok(field) = class.arrow.field_with_name(name) {
                assert_eq!(field, expected, "{}", class.name);
            }
        }
    }
}

#[test]
fn captions_are_found_by_path() {
    let ocsf = ocsf();
    let class = ocsf.by_uid(3001).unwrap();
    assert_eq!(class.caption_of("activity_id", 3), Some("Password Change"));
    assert_eq!(class.caption_of("actor.user.type_id", 2), Some("Admin"));
    assert_eq!(class.caption_of("activity_id", 77), None);
    assert_eq!(class.caption_of("message", 1), None);
    let method = class.attribute("http_request.http_method").unwrap().captions.as_ref().unwrap();
    assert_eq!(method.get_text("GET"), Some("Get"));
    assert_eq!(class.attribute("severity_id").unwrap().captions.as_ref().unwrap().id_of("High"), Some(4));
}

#[test]
fn a_wrong_path_finds_its_neighbour() {
    let ocsf = ocsf();
    let class = ocsf.by_name("authentication").unwrap();
    let nearest = |wrong: &str| class.nearest_path(wrong);
    assert_eq!(nearest("actor_email").as_deref(), Some("actor.user.email_addr"));
    assert_eq!(nearest("actor.user.emial_addr").as_deref(), Some("actor.user.email_addr"));
    assert_eq!(nearest("severity_i").as_deref(), Some("severity_id"));
    assert_eq!(nearest("sevrity").as_deref(), Some("severity"));
    assert_eq!(nearest("src_endpoint_ip").as_deref(), Some("src_endpoint.ip"));
    assert_eq!(nearest("xqzw"), None);
}

#[test]
fn a_class_file_makes_a_table() {
    let ocsf = load_with(&[("datastore_activity.json", &datastore_activity())]).unwrap();
    assert_eq!(ocsf.classes().len(), 8);
    assert_eq!(ocsf.classes().last().unwrap().name, "other_event");
    let class = ocsf.by_uid(6005).unwrap();
    assert_eq!((class.name.as_str(), class.category_uid), ("datastore_activity", Some(6)));
    assert!(matches!(class.attribute("api.operation").unwrap().kind, Kind::Text));
    assert!(class.leaves() <= MAX_LEAVES);
}

#[test]
fn a_folder_brings_its_own_objects_for_its_own_classes() {
    let objects = r#"{"ocsf": "1.6.0", "objects": {
        "robot": {"arm": "string_t[]"},
        "location": {"planet": "string_t!"}
    }}"#;
    let class = class_file(r#""robots": "robot[]", "location": "location", "group": "group""#, "");
    let ocsf = load_with(&[("objects.json", objects), ("made_up.json", &class)]).unwrap();
    let class = ocsf.by_uid(9001).unwrap();
    let paths: Vec<_> = class.describe().into_iter().map(|field| field.path).collect();
    assert!(paths.contains(&"robots[].arm[]".to_owned()), "{paths:?}");
    assert!(class.attribute("location.planet").is_some() && class.attribute("group.name").is_some());
    assert!(ocsf.by_uid(3001).unwrap().attribute("device.location.planet").is_none());
}

#[test]
fn a_bad_file_is_refused_with_file_and_line() {
    let refused = |attributes: &str, rest: &str| refusal("made_up.json", &class_file(attributes, rest));
    assert!(refusal("x.json", "{\n\"ocsf\": \"1.6.0\",\n]").starts_with("x.json:3: "));
    assert_eq!(refused(r#""a": "strin_t""#, ""), "made_up.json:6: unknown type `strin_t`");
    assert_eq!(refused(r#""a": {"type": "a!+"}"#, ""), "made_up.json:6: unknown type `a!+`");
    assert_eq!(refused(r#""a": "nothing""#, ""), "made_up.json:6: `a` is of an unknown object `nothing`");
    assert_eq!(refused("\"a\": \"string_t\",\n\"a\": \"ip_t\"", ""), "made_up.json:7: `a` is given twice");
    assert_eq!(refused(r#""A": "ip_t""#, ""), "made_up.json:6: `A` cannot be an attribute's name");
    assert_eq!(refused(r#""_batch": "ip_t""#, ""), "made_up.json:6: the column name `_batch` is reserved");
    assert_eq!(refused(r#""event_month": "ip_t""#, ""), "made_up.json:6: the column name `event_month` is reserved");
    assert_eq!(
        refused(r#""a": "group""#, ",\n\"cut\": [\n\"a.b\"\n]"),
        "made_up.json:9: `a.b` in `cut` does not exist"
    );
    assert_eq!(
        refused(r#""a": "group""#, ",\n\"left_out\": {\n\"a\": [\"b\"]\n}"),
        "made_up.json:9: `a.b` in `left_out` does not exist"
    );
    assert!(refused(r#""a": "ip_t""#, ",\n\"colour\": 1").starts_with("made_up.json:8: unknown field `colour`"));
}

#[test]
fn every_column_of_ours_has_an_id_of_its_own_and_files_carry_them() {
    let ocsf = Ocsf::load(None).unwrap();
    let class = ocsf.by_name("authentication").unwrap();
    let schema = class.ids.in_schema(&class.arrow);
    let mut ids = Vec::new();
    fn walk(field: &Field, ids: &mut Vec<i32>) {
        ids.push(field.metadata()["PARQUET:field_id"].parse().unwrap());
        match field.data_type() {
            DataType::Struct(members) => members.iter().for_each(|member| walk(member, ids)),
            DataType::List(item) => walk(item, ids),
            _ => {}
        }
    }
    for class in ocsf.classes() {
        let mut of_class = Vec::new();
        class.ids.in_schema(&class.arrow).fields().iter().for_each(|field| walk(field, &mut of_class));
        let distinct: std::collections::HashSet<i32> = of_class.iter().copied().collect();
        assert_eq!(distinct.len(), of_class.len(), "{}", class.name);
        ids.extend(of_class);
    }
    assert!(ids.len() > 1_500, "{}", ids.len());
    // They were given once and are in files forever.
    let id = |path: &[&str]| {
        let mut field = schema.field_with_name(path[0]).unwrap();
        for name in &path[1..] {
            let DataType::Struct(members) = field.data_type() else { panic!("{path:?}") };
            field = members.find(name).unwrap().1;
        }
        field.metadata()["PARQUET:field_id"].clone()
    };
    assert_eq!(
        (id(&["time"]), id(&["actor", "user", "uid"]), id(&["_event_uid"])),
        ("100".into(), "123".into(), "1".into())
    );
}

#[test]
fn ids_that_are_given_twice_or_to_half_of_a_class_are_refused() {
    let refused = |ids: &str| refusal("made_up.json", &class_file(r#""a": "ip_t""#, &format!(",\n\"ids\": {{{ids}}}")));
    assert!(refused(r#""": {"time": 100, "class_uid": 100}"#).contains("the id 100 of `class_uid` is used twice"));
    assert!(refused(r#""": {"time": 7}"#).contains("the id 7 of `time` is reserved"));
    assert!(refused(r#""": {"time": 100, "class_uid": 101}"#).contains("have no id"));
    // A column that went away keeps its id.
    let file =
        class_file(r#""a": "ip_t""#, ",\n\"ids\": {\"\": {\"time\": 100, \"class_uid\": 101, \"a\": 102, \"b\": 103}}");
    load_with(&[("made_up.json", &file)]).unwrap();
}

#[test]
fn a_class_that_clashes_is_refused() {
    let free = class_file(r#""a": "string_t""#, "");
    assert_eq!(
        refusal("authentication.json", &free),
        "authentication.json:1: the table `authentication` already exists"
    );
    assert_eq!(refusal("reject.json", &free), "reject.json:1: the table `reject` already exists");
    assert_eq!(refusal("Robots.json", &free), "Robots.json:1: `Robots` cannot be a table's name");
    let taken = free.replace("9001", "3002");
    assert_eq!(refusal("made_up.json", &taken), "made_up.json:2: a class with uid 3002 already exists");
    let nameless = free.replace(", \"uid\": 9001", "");
    assert_eq!(refusal("made_up.json", &nameless), "made_up.json:1: the class has no `uid`");
    let newer = free.replace("1.6.0", "1.7.0");
    assert_eq!(refusal("made_up.json", &newer), "made_up.json:2: it is for OCSF 1.7.0, not 1.6.0");
    let timeless = free.replace("timestamp_t!", "string_t");
    assert_eq!(refusal("made_up.json", &timeless), "made_up.json:3: a class needs `time` of type timestamp_t");
}

#[test]
fn an_object_inside_itself_must_be_cut() {
    let robot = r#"{"ocsf": "1.6.0", "objects": {
        "robot": {
            "name": "string_t",
            "maker": "robot"
        }
    }}"#;
    let class = class_file(r#""robot": "robot""#, "");
    let error = load_with(&[("objects.json", robot), ("made_up.json", &class)]).unwrap_err();
    assert!(error.to_string().ends_with("objects.json:4: `robot.maker` is a `robot` inside a `robot`"), "{error}");
    assert!(error.hint_text().unwrap().contains("made_up.json"));
    let class = class_file(r#""robot": "robot""#, r#", "cut": ["robot.maker"]"#);
    assert!(load_with(&[("objects.json", robot), ("made_up.json", &class)]).is_ok());
}

#[test]
fn too_many_leaves_are_refused() {
    let columns: Vec<_> = (0..250).map(|n| format!("\"a{n}\": \"string_t\"")).collect();
    let message = refusal("made_up.json", &class_file(&columns.join(",\n"), ""));
    assert_eq!(message, "made_up.json:3: the class has 257 leaf columns, more than 256");
    assert!(load_with(&[("made_up.json", &class_file(&columns[1..].join(",\n"), ""))]).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_a_usage_error() {
    let error = Ocsf::load(Some(Path::new("/nonexistent/schemas"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}
