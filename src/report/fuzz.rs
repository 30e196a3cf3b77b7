//! Tests that any text is either a report or an error.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::catalog::header::Report;
use super::check::template;
use crate::sql::Conventions;
use crate::typed::{cases, mutants, worked};

static CONVENTIONS: LazyLock<Conventions> = LazyLock::new(|| Conventions::load().unwrap());

fn seeds() -> Vec<String> {
    vec![
        template("a-b").unwrap(),
        include_str!("../../queries/access/access-review-as-of.sql").to_string(),
        include_str!("../../queries/access/sod-violations.sql").to_string(),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_head_is_read_or_refused(text in mutants(seeds())) {
        let begun = worked();
        match Report::parse("own/a.sql", &text, &CONVENTIONS) {
            Ok(report) => prop_assert!(!report.id.is_empty() && text.contains(&report.sql)),
            Err(error) => prop_assert!(error.to_string().starts_with("cannot read report own/a.sql"), "{}", error),
        }
        prop_assert!((worked() - begun) < Duration::from_secs(10), "{} bytes took too long", text.len());
    }
}
