//! Tests of the errors about wrong statements.

use std::sync::Arc;

use super::*;
use crate::schema::Ocsf;

fn known(sql: &str) -> Known {
    Known {
        ocsf: Arc::new(Ocsf::load(None).unwrap()),
        tables: vec!["authentication".to_string(), "event".to_string()],
        unknown: Vec::new(),
        sql: sql.to_string(),
        place: None,
        memory_limit: None,
        context: SessionContext::new(),
    }
}

fn said(sql: &str, engine: &str) -> String {
    let error = explain(DataFusionError::Plan(engine.to_string()), &known(sql));
    match error.hint_text() {
        Some(hint) => format!("{error} | {hint}"),
        None => error.to_string(),
    }
}

fn missing(sql: &str, name: &str, valid: &[&str]) -> String {
    let valid_fields = valid.iter().map(|name| Column::from_qualified_name(*name)).collect();
    let field = Box::new(Column::from_qualified_name(name));
    let error =
        DataFusionError::SchemaError(Box::new(SchemaError::FieldNotFound { field, valid_fields }), Box::new(None));
    let error = explain(error, &known(sql));
    format!("{error} | {}", error.hint_text().unwrap_or_default())
}

#[test]
fn a_name_is_never_its_own_correction() {
    let text = missing("select count(*) as count from event where count > 1", "count", &["event.class"]);
    assert!(text.starts_with("no column `count`\nline 1: select count(*)"), "{text}");
    assert!(!text.contains("did you mean `count`"), "{text}");
    for (name, valid) in [("time", vec!["a.time"]), ("actor.user.uid", vec!["event.class"]), ("unmapped", vec!["o.x"])]
    {
        let text = missing(&format!("select {name} from t"), name, &valid);
        assert!(!text.contains(&format!("did you mean `{name}`")), "{text}");
    }
    let text = missing("select actor.user.uid from observable", "actor.user.uid", &["observable.time"]);
    assert!(text.contains("is in ") && text.contains("authentication"), "{text}");
    let text = missing("select a.x from t", "x", &["b.x"]);
    assert!(text.ends_with("write `b.x`"), "{text}");
    let text = missing("select datediff(day, a, b) from t", "day", &["t.time"]);
    assert!(text.ends_with("date_diff('day', a, b)"), "{text}");
    let text = missing("select current_user", "current_user", &[]);
    assert!(text.contains("no users of its own"), "{text}");
    let text = said("select a << b", "cannot infer common type for bitwise operation Utf8 << Utf8");
    assert!(text.starts_with("text << text cannot be computed | ") && text.contains("cidr_match"), "{text}");
    let text = said("select a @> b", "binary operator 'AtArrow' is not supported in the physical expr");
    assert!(text.starts_with("`@>` is not supported | ") && text.contains("array_has_all"), "{text}");
    let text = missing("select \"sakura@x\" from t", "sakura@x", &["t.y"]);
    assert!(text.ends_with("text stands in single quotes: 'text'"), "{text}");
}

#[test]
fn ids_that_are_compared_with_text_say_what_captions_there_are() {
    let engine = "Arrow error: Cast error: Cannot cast string 'high' to value of Int64 type";
    let text = said("select count(*) from event\nwhere severity_id = 'high'", engine);
    assert!(
        text.starts_with("`severity_id` is a number, and 'high' is not\nline 2: where severity_id = 'high'"),
        "{text}"
    );
    assert!(text.ends_with("4 is High: write severity_id = 4"), "{text}");
    let text = said(
        "select 1 from authentication a where a.activity_id in ('x', 'y')",
        "Cast error: Cannot cast string 'y' to value of Int64 type",
    );
    assert!(text.contains("`a.activity_id` is a number") && text.contains("1 Logon"), "{text}");
    let text = said("select 1 where class = 3001", "Cannot cast string 'authentication' to value of Int64 type");
    assert!(text.contains("write the number in quotes"), "{text}");
}

#[test]
fn no_syntax_tree_and_no_type_of_the_engine_is_shown() {
    for (engine, wanted) in [
        (
            "This feature is not implemented: Unsupported ast node in sqltorel: Lambda(LambdaFunction { params: One(",
            "form that is not supported",
        ),
        (
            "Error during planning: Cannot coerce arithmetic expression Utf8 + Boolean to valid types",
            "text + boolean cannot be computed",
        ),
        ("Execution error: x Utf8(\"day\") and Int64(42) of Timestamp(µs, \"UTC\")", "x 'day' and 42 of time"),
        (
            "Error during planning: Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"event.class\" must appear in the GROUP BY clause or must be part of an aggregate function, currently only",
            "group by all",
        ),
        (
            "Physical plan does not support logical expression InSubquery(InSubquery { expr: ",
            "taken for one of the query around it",
        ),
        ("Projections require unique expression names but the expression", "as other"),
    ] {
        let text = said("select class, count(*) from event", engine);
        assert!(text.contains(wanted), "{engine}: {text}");
        for tree in ["{", "Utf8", "Int64", "sqltorel"] {
            assert!(!text.contains(tree), "{text}");
        }
    }
}

#[test]
fn json_text_has_no_members() {
    let text = said(
        "select unmapped.workspace_id from authentication",
        "Error during planning: Cannot access field at argument 1: type Utf8 is not Struct, Map, or Null",
    );
    assert!(text.ends_with("write unmapped->>'workspace_id'") && text.contains("^"), "{text}");
}
