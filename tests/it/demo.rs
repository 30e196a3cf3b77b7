//! `auditlake demo`: the first command that anyone runs.

use crate::env::Env;
use crate::soundness::{assert_sound, names};

#[test]
fn an_empty_directory_gets_a_lake_answers_and_reports() {
    let env = Env::new();
    let text = env.run(["demo", "--entries", "3000"]);
    assert!(!text.contains("error") && !text.contains("exit status"), "{text}");
    for wanted in
        ["Who failed to log on most often", "Who gave privileges to himself?", "Your turn:", "reports/index.html"]
    {
        assert!(text.contains(wanted), "{wanted}:\n{text}");
    }
    assert_eq!(names(env.path(".").as_path()), ["auditlake-demo"]);
    assert_eq!(names(env.path("auditlake-demo").as_path()), ["entries.ndjson", "lake", "reports"]);
    let told = assert_sound(&env.path("auditlake-demo/lake"));
    assert_eq!(told.count("accepted"), 3_000);
    // The story that the generator hid is found.
    let found = env.read("auditlake-demo/reports/brute-force-by-user/result.csv");
    assert!(found.lines().count() > 1, "{found}");
}

#[test]
fn a_second_demo_takes_another_name() {
    let env = Env::new();
    env.ok(["demo", "--entries", "300"]);
    env.ok(["demo", "--entries", "300"]);
    assert_sound(&env.path("auditlake-demo-2/lake"));
    let text = env.run(["demo", "--entries", "300", "--lake", "auditlake-demo/lake"]);
    assert!(
        text.contains("error: a lake exists at auditlake-demo/lake") && text.contains("[exit status: 2]"),
        "{text}"
    );
}

#[test]
fn the_demo_does_not_write_over_files_that_are_there() {
    let env = Env::new();
    env.write("auditlake-demo/entries.ndjson", "mine\n");
    env.run(["demo", "--entries", "300"]);
    assert_eq!(env.read("auditlake-demo/entries.ndjson"), "mine\n");
    assert_eq!(names(env.path("auditlake-demo").as_path()), ["entries.ndjson"]);
    assert_sound(&env.path("auditlake-demo-2/lake"));
}
