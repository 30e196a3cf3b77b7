//! The claims that a run may make (C18): each reason, at its boundary.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01.
const JANUARY: i64 = 1_767_225_600_000;

/// Returns the facts of a run, and its verdict.
async fn seen(id: &str, parameters: Json, events: &[Json], inputs: Json) -> (Facts, Verdict) {
    let ctx = session(events);
    add_inputs(&ctx, &inputs);
    let catalog = Catalog::load(None).unwrap();
    let report = catalog.get(id).unwrap();
    let params = Params::new(report, &given(&parameters), None).unwrap();
    let session = Arc::new(ctx.session().await);
    let names: Vec<String> = inputs.as_object().unwrap().keys().filter(|name| *name != "coverage").cloned().collect();
    let log = Log::read(session.clone(), [report]).await.unwrap();
    let facts = log.facts(report, &params, Span::of(&params, None), &names).await.unwrap();
    let suppressions = Suppressions::default();
    let mut judge = Judge::new(report, &suppressions);
    for batch in run(report, &params, &session).await.unwrap().collect().await.unwrap() {
        judge.look(&batch).unwrap();
    }
    let verdict = judge.verdict(&facts);
    (facts, verdict)
}

fn said(facts: &Facts) -> Vec<(&'static str, String, Vec<i64>, Option<f64>)> {
    let reasons = facts.reasons.iter();
    reasons.map(|one| (one.reason.name(), one.missing.clone(), one.classes.clone(), one.share)).collect()
}

fn logon(time: i64, rest: Json) -> (i64, i64, i64, i64, Json) {
    (3002, 1, time, 1, rest)
}

/// Makes a logon of one user every twelve hours, from `from` on.
fn steady(from: i64, days: i64) -> Vec<(i64, i64, i64, i64, Json)> {
    let times = (0..days * 2).map(|half| from + half * 12 * HOUR);
    times.map(|time| logon(time, json!({"user": {"uid": "u"}, "actor": {"user": {"uid": "u"}}}))).collect()
}

fn period() -> Json {
    json!({"from": "2026-01-01", "to": "2026-02-01"})
}

/// The most likely input: entries with the vendor's declared fields alone.
#[tokio::test]
async fn a_source_with_only_declared_fields_yields_no_pass_that_it_cannot_support() {
    let declared = |class: i64, activity: i64, time: i64| {
        let rest = json!({
            "metadata": {"uid": format!("{class}-{time}"), "version": "1.6.0"}, "severity_id": 1,
            "actor": {"user": {"uid": "ann", "email_addr": "ann@a.example"}}, "device": {"ip": "192.0.2.7"},
            "http_request": {"http_method": "POST", "url": {"path": "/v1/workspace/groups/g/members"}},
            "message": "x",
        });
        (class, activity, time, 1, rest)
    };
    let mut events = Vec::new();
    for half in 0..62 {
        for class in [3001, 3002, 3004, 3005, 3006] {
            let activity = if class == 3006 { 3 } else { 1 };
            events.push(declared(class, activity, JANUARY + half * 12 * HOUR));
        }
    }
    let events = events_of(&events);
    for (id, parameters, expected) in [
        (
            "sod-violations",
            period(),
            vec!["3005 subject", "3005 privileges", "3001 subject", "3006 subject", "3006 group"],
        ),
        (
            "leaver-residual-access",
            json!({"as_of": "2026-01-31"}),
            vec!["3001 subject", "3005 subject", "3005 privileges", "3006 subject", "3006 group"],
        ),
        ("mfa-factor-changes", period(), vec!["3001 subject"]),
    ] {
        let (facts, verdict) = seen(id, parameters, &events, json!({})).await;
        let found: Vec<String> =
            said(&facts).iter().map(|(_, missing, classes, _)| format!("{} {missing}", classes[0])).collect();
        assert_eq!(
            (found.iter().map(String::as_str).collect::<Vec<_>>(), verdict),
            (expected, Verdict::NotAssessable),
            "{id}"
        );
        assert_eq!(facts.unseen, 1.0, "{id}");
    }
    let (facts, verdict) = seen("impossible-travel", period(), &events, json!({})).await;
    assert_eq!(said(&facts), [("input", "ip_geo".to_string(), vec![3002], Some(1.0))]);
    assert_eq!((verdict, facts.needs[0].read), (Verdict::NotAssessable, 62));
    assert!(facts.reasons[0].text.contains("the input `ip_geo` was not given"), "{}", facts.reasons[0].text);

    // Logons are named after their actor and have an outcome: that is a pass.
    let (facts, verdict) = seen("brute-force-by-user", period(), &events, json!({})).await;
    assert_eq!((said(&facts), verdict, facts.unseen), (vec![], Verdict::None, 0.0));
    // A listing does not judge, but still says what it could not see.
    let (facts, verdict) = seen("access-review-as-of", json!({"as_of": "2026-01-31"}), &events, json!({})).await;
    assert_eq!((verdict, said(&facts).len()), (Verdict::Evidence, 3));
}

#[tokio::test]
async fn a_fifth_of_the_events_may_lack_what_is_needed_and_no_more() {
    let whole = steady(JANUARY, 31);
    let with = |nameless: i64| {
        let mut events = whole.clone();
        events.extend((0..nameless).map(|place| logon(JANUARY + place, json!({}))));
        events_of(&events)
    };
    // 62 events carry it, and 15 of 77 do not; 16 of 78 are more than a fifth.
    let (facts, verdict) = seen("brute-force-by-user", period(), &with(15), json!({})).await;
    assert_eq!((said(&facts), verdict), (vec![], Verdict::None));
    assert_eq!((facts.needs[0].read, facts.needs[0].missing[&Element::Subject]), (77, 15));
    let (facts, verdict) = seen("brute-force-by-user", period(), &with(16), json!({})).await;
    assert_eq!(said(&facts), [("fields", "subject".to_string(), vec![3002], Some(0.205129))]);
    assert_eq!(verdict, Verdict::NotAssessable);

    let asked = |share: &str| json!({"from": "2026-01-01", "to": "2026-02-01", "max_missing": share});
    let (facts, verdict) = seen("brute-force-by-user", asked("0.21"), &with(16), json!({})).await;
    assert_eq!((said(&facts), verdict), (vec![], Verdict::None));
    let (facts, _) = seen("brute-force-by-user", asked("0"), &with(1), json!({})).await;
    assert_eq!(said(&facts).len(), 1);
    let report = Catalog::load(None).unwrap().get("brute-force-by-user").unwrap().clone();
    let error = Params::new(&report, &given(&asked("20")), None).unwrap_err();
    assert!(error.message().contains("`max_missing` is a share"), "{error}");
}

#[tokio::test]
async fn what_was_never_logged_is_no_pass() {
    let (facts, verdict) = seen("mfa-factor-changes", period(), &events_of(&steady(JANUARY, 31)), json!({})).await;
    assert_eq!(said(&facts), [("fields", "events".to_string(), vec![3001], None)]);
    assert_eq!(verdict, Verdict::NotAssessable);
    // One event long ago: the source does log them, and there was none in the period.
    let mut events = steady(JANUARY, 31);
    events.push((3001, 1, JANUARY + 1, 1, json!({"user": {"uid": "u"}})));
    let asked = json!({"from": "2026-01-02", "to": "2026-02-01"});
    let (facts, verdict) = seen("mfa-factor-changes", asked, &events_of(&events), json!({})).await;
    assert_eq!((said(&facts), verdict, facts.needs[0].read), (vec![], Verdict::None, 0));
}

#[tokio::test]
async fn nobody_can_be_idle_for_longer_than_the_log() {
    let mut events = steady(JANUARY, 31);
    events.push((3001, 1, JANUARY, 1, json!({"user": {"uid": "u"}})));
    let events = events_of(&events);
    let (facts, verdict) = seen("dormant-accounts", json!({"as_of": "2026-01-31"}), &events, json!({})).await;
    assert_eq!(verdict, Verdict::NotAssessable);
    let reasons = said(&facts);
    assert_eq!((reasons.len(), reasons[0].0), (1, "history"), "{reasons:?}");
    // Of 90 days and a millisecond the log has 31.
    let share = 1.0 - 31.0 / 90.0;
    assert!((facts.unseen - share).abs() < 0.001, "{}", facts.unseen);
    // The log may begin a day late, and not a millisecond more.
    for (days, is_long) in [("31", true), ("32", false), ("33", false)] {
        let asked = json!({"as_of": "2026-02-01T00:00:00Z", "inactive_days": days});
        let (facts, _) = seen("dormant-accounts", asked, &events, json!({})).await;
        assert_eq!(said(&facts).is_empty(), is_long || days == "32", "{days}: {:?}", said(&facts));
    }
    let empty = seen("dormant-accounts", json!({"as_of": "2026-01-31"}), &[], json!({})).await;
    assert_eq!((empty.1, empty.0.unseen), (Verdict::NotAssessable, 1.0));
}

#[tokio::test]
async fn everything_is_new_without_a_state_to_compare_with() {
    let mut events = steady(JANUARY + 1, 31);
    events.push((3001, 1, JANUARY + 1, 1, json!({"user": {"uid": "u"}})));
    events.push((3005, 1, JANUARY + 2, 1, json!({"user": {"uid": "u"}, "privileges": ["p"]})));
    let (facts, _) = seen("access-review-diff", period(), &events_of(&events), json!({})).await;
    assert_eq!(said(&facts).iter().map(|reason| reason.0).collect::<Vec<_>>(), ["history"]);
    assert!(facts.reasons[0].text.contains("everything would be new"), "{}", facts.reasons[0].text);
    let opening = json!({"snapshot_access": [{
        "subject_uid": "u", "item_type": "privilege", "item": "p", "resource_uid": null, "taken_at": JANUARY,
    }]});
    let (facts, _) = seen("access-review-diff", period(), &events_of(&events), opening).await;
    assert_eq!(said(&facts), []);
    // An event at `from` is a state at `from`.
    events.push(logon(JANUARY, json!({"user": {"uid": "u"}})));
    let (facts, _) = seen("access-review-diff", period(), &events_of(&events), json!({})).await;
    assert_eq!(said(&facts), []);
}

#[tokio::test]
async fn a_weekend_that_the_collector_walked_is_no_silence() {
    // Friday 2026-01-09 at 17:00 to Monday 08:00.
    let friday = JANUARY + 8 * DAY + 17 * HOUR;
    let mut events = steady(JANUARY, 9);
    events.retain(|event| event.2 <= friday);
    events.push(logon(friday, json!({"user": {"uid": "u"}})));
    events.extend(steady(friday + 63 * HOUR, 21));
    let events = events_of(&events);
    let asked = json!({"from": "2026-01-01", "to": "2026-01-31"});
    let (facts, verdict) = seen("brute-force-by-user", asked.clone(), &events, json!({})).await;
    assert_eq!(verdict, Verdict::NotAssessable);
    let reasons = said(&facts);
    assert_eq!(reasons[0].1, "2026-01-09 17:00:00 - 2026-01-12 08:00:00 (63 h)");
    assert_eq!((reasons.len(), reasons[0].3), (1, Some(0.0875)));
    assert!(!facts.coverage.is_whole());

    let walked = |from: i64, to: i64| json!({"coverage": [{"source": "prod", "state": "covered", "from_time": from, "to_time": to}]});
    let (facts, verdict) =
        seen("brute-force-by-user", asked.clone(), &events, walked(friday, friday + 63 * HOUR)).await;
    assert_eq!((said(&facts), verdict), (vec![], Verdict::None));
    assert!(facts.coverage.is_whole() && facts.coverage.gaps[0].covered);
    // The rest on either side is exactly a day, or a millisecond more.
    let (facts, _) =
        seen("brute-force-by-user", asked.clone(), &events, walked(friday + 24 * HOUR, friday + 39 * HOUR)).await;
    assert_eq!(said(&facts), []);
    let (facts, _) =
        seen("brute-force-by-user", asked.clone(), &events, walked(friday + 24 * HOUR + 1, friday + 39 * HOUR + 1))
            .await;
    assert_eq!(said(&facts).len(), 1);
    // The log's own gaps are the subject of log-gaps: its rows report them.
    let (facts, _) = seen("log-gaps", asked, &events, json!({})).await;
    assert_eq!(said(&facts), []);
}

#[tokio::test]
async fn an_input_that_would_have_told_is_named_when_it_is_not_given() {
    let mut events = steady(JANUARY, 31);
    events.push((3001, 6, JANUARY + DAY, 1, json!({"user": {"uid": "v"}, "actor": {"user": {"uid": "u"}}})));
    let events = events_of(&events);
    let (facts, verdict) = seen("user-deprovisioning-log", period(), &events, json!({})).await;
    assert_eq!((said(&facts), verdict), (vec![("input", "leavers".to_string(), vec![], None)], Verdict::Evidence));
    let leavers = json!({"leavers": [{"email": "v@a.example", "left_time": JANUARY}]});
    let (facts, _) = seen("user-deprovisioning-log", period(), &events, leavers).await;
    assert_eq!(said(&facts), []);
}
