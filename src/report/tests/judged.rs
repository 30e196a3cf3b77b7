//! Tests of the judgement of rows: findings, context, attention and suppressions.

use super::*;

/// Runs a report with the severities and keys of `rows`, judged or not, and returns what it counts.
async fn tally(judges: bool, rows: &str, suppressed: &str) -> (Verdict, Vec<(String, u64)>, Vec<String>) {
    let head = own("-- severity_id = \"int\"\n-- finding_key = \"string\"\n", rows).text;
    let verdict = format!("-- [verdict]\n-- judges = {judges}\n-- [parameters]\n");
    let catalog = Catalog::load(None).unwrap();
    let report = catalog.read("own.sql", &head.replace("-- [parameters]\n", &verdict)).unwrap();
    let suppression = format!(
        "[[suppression]]\nfinding = \"{suppressed}\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"2999-12-31\"\n"
    );
    let suppressions = Suppressions::parse(&suppression, "test", &crate::clock::Clock::Real).unwrap();
    let params = Params::new(&report, &[], None).unwrap();
    let mut judge = Judge::new(&report, &suppressions);
    for batch in run(&report, &params, &session(&[]).session().await).await.unwrap().collect().await.unwrap() {
        judge.look(&batch).unwrap();
    }
    let counts = judge.tally.clone();
    let counts = [
        ("rows", counts.rows),
        ("findings", counts.findings),
        ("suppressed", counts.suppressed),
        ("context", counts.context),
        ("attention", counts.attention),
    ];
    let session = std::sync::Arc::new(session(&[]).session().await);
    let log = Log::read(session, []).await.unwrap();
    let span = Span { from_ms: Some(0), to_ms: Some(1) };
    let facts = Facts { reasons: Vec::new(), ..log.facts(&report, &params, span, &[]).await.unwrap() };
    let keys = judge.named.iter().map(|finding| format!("{} {}", finding.key, finding.severity)).collect();
    (judge.verdict(&facts), counts.map(|(name, count)| (name.to_string(), count)).to_vec(), keys)
}

#[tokio::test]
async fn context_is_no_finding_and_severe_rows_of_a_listing_are_seen() {
    let rows = "select severity_id, finding_key from (values (1, 'own|a'), (2, 'own|b'), (3, 'own|c'), (4, 'own|d'), \
                (cast(null as bigint), 'own|e')) as t(severity_id, finding_key) order by finding_key";
    let counts = |counts: [u64; 5]| {
        let names = ["rows", "findings", "suppressed", "context", "attention"];
        names.iter().zip(counts).map(|(name, count)| (name.to_string(), count)).collect::<Vec<_>>()
    };
    let (verdict, found, keys) = tally(true, rows, "own|c").await;
    assert_eq!((verdict, found), (Verdict::Findings, counts([5, 3, 1, 1, 0])));
    assert_eq!(keys, ["own|b low", "own|d high", "own|e medium"]);

    // In a listing a null means nothing.
    let (verdict, found, keys) = tally(false, rows, "own|c").await;
    assert_eq!((verdict, found), (Verdict::Evidence, counts([5, 0, 1, 0, 1])));
    assert_eq!(keys, ["own|d high"]);

    let (verdict, found, _) = tally(true, "select 1 as severity_id, 'own|a' as finding_key", "own|x").await;
    assert_eq!((verdict, found), (Verdict::None, counts([1, 0, 0, 1, 0])));
}

#[tokio::test]
async fn suppressing_one_finding_hides_one() {
    let rows =
        "select 3 as severity_id, finding_key('own', x) as finding_key from (values ('a'), ('a'), ('a')) as t(x)";
    let (verdict, _, keys) = tally(true, rows, "own|a|2").await;
    assert_eq!((verdict, keys), (Verdict::Findings, vec!["own|a medium".to_string(), "own|a|3 medium".to_string()]));
    let (_, _, keys) = tally(true, rows, "own|a").await;
    assert_eq!(keys, ["own|a|2 medium", "own|a|3 medium"]);
    // One report makes its keys itself, and one has equal rows without keys.
    let given = "select 3 as severity_id, key as finding_key from (values ('own|a'), ('own|a'), ('own|a|2'), ('own|a')) \
                 as t(key)";
    let (_, _, keys) = tally(true, given, "own|a").await;
    // A result without an order of its own is in that of its columns.
    assert_eq!(keys, ["own|a|2 medium", "own|a|3 medium", "own|a|2|2 medium"]);
    let same = "select 3 as severity_id, cast(null as varchar) as finding_key from (values (1), (2), (3)) as t(x)";
    for judges in [true, false] {
        let (_, _, keys) = tally(judges, same, "own|nothing").await;
        let key = keys[0].strip_suffix(" medium").unwrap();
        assert_eq!(keys[1..], [format!("{key}|2 medium"), format!("{key}|3 medium")]);
        assert_eq!(tally(judges, same, key).await.2.len(), 2, "{key}");
    }
}
