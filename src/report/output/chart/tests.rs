//! Tests the chart of each report, and that classes, dates and pairs are counted where they belong.

use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Field, Schema};
use insta::assert_snapshot;

use super::*;
use crate::clock::Clock;
use crate::report::{Catalog, Period};

/// Returns the coverage of 2026-03-01 to 2026-04-01.
fn march(zone: Tz) -> Coverage {
    let period = Period::parse("2026-03", zone, &Clock::Real).unwrap();
    Coverage { from_ms: period.from_ms, to_ms: period.to_ms, max_gap_ms: 0, uncovered_ms: 0, share: 1.0, gaps: vec![] }
}

fn report(chart: &[&str], columns: &[(&str, &str)]) -> Report {
    let chart: String = chart.iter().map(|line| format!("-- {line}\n")).collect();
    let columns: String = columns.iter().map(|(name, ty)| format!("-- {name} = \"{ty}\"\n")).collect();
    let text = format!(
        "--- report\n-- id = \"x\"\n-- title = \"X\"\n-- question = \"?\"\n-- kind = \"evidence listing\"\n\
         -- order = \"{}\"\n-- [chart]\n{chart}-- [parameters]\n-- tz = {{ type = \"timezone\", default = \"UTC\" }}\n\
         -- [columns]\n{columns}---\nselect 1\n",
        columns.split(' ').nth(1).unwrap()
    );
    Catalog::load(None).unwrap().read("x.sql", &text).unwrap()
}

fn planned(report: &Report, tz: &str) -> Chart {
    let params = Params::new(report, &[("tz".to_string(), tz.to_string())], None).unwrap();
    Chart::plan(report, &params, &march(tz.parse().unwrap())).unwrap()
}

fn batch(columns: Vec<(&str, arrow::array::ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

#[test]
fn each_report_draws_what_its_head_says() {
    let catalog = Catalog::load(None).unwrap();
    let period = Period::parse("2026-03", Tz::UTC, &Clock::Real).unwrap();
    let mut text = String::new();
    for report in catalog.list() {
        let given: Vec<(String, String)> =
            report.any_of.first().map(|name| (name.clone(), "x".to_string())).into_iter().collect();
        let period = Params::has_period(report, period).then_some(period);
        let params = Params::new(report, &given, period).unwrap();
        let name = |at: usize| report.columns[at].name.as_str();
        let drawn = Chart::plan(report, &params, &march(Tz::UTC)).map_or("nothing".to_string(), |chart| {
            let axis = match &chart.axis {
                Axis::Time { column, unit, .. } => format!("{} by {}", name(*column), unit.word()),
                Axis::Category { column } => name(*column).to_string(),
                Axis::Tiles { column } => format!("{} as tiles", name(*column)),
                Axis::Classes { column, edges, only } => {
                    let only =
                        only.as_ref().map_or(String::new(), |(at, state)| format!(" where {} is {state}", name(*at)));
                    format!("{} by {edges:?}{only}", name(*column))
                }
                Axis::Grid { row, column } => format!("{} x {}", name(*row), name(*column)),
                Axis::Week { column, .. } => format!("{} by weekday and hour", name(*column)),
            };
            let series = match &chart.series {
                Series::Count => "rows".to_string(),
                Series::CountBy(at) => format!("rows by {}", name(*at)),
                Series::Sums(all) => all.iter().map(|at| name(*at)).collect::<Vec<_>>().join(", "),
            };
            format!("{axis}: {series} [{}]", chart.heading())
        });
        text.push_str(&format!("{}: {drawn}\n", report.id));
    }
    assert_snapshot!(text, @r"
    access-ledger-anomalies: anomaly: rows [Rows by anomaly]
    access-review-as-of: subject_label x privilege: rows [Rows by subject and privilege]
    access-review-diff: privilege: rows by change [Rows by privilege, coloured by change]
    access-state-reconciliation: result: rows [Rows by result]
    account-lockouts: lock_time by day: rows [Rows per day]
    account-roster-as-of: account_state: rows [Rows by account state]
    account-switch-log: nothing
    account-takeover-sequence: nothing
    activity-volume-anomaly: day by day: events, median [Events, median per day]
    actor-timeline: time by day: rows by class [Rows per day, coloured by class]
    api-key-lifecycle: age_days by [30, 90, 180, 365] where state is active: rows [Rows by age days, state active only]
    audit-log-config-changes: time by day: rows by category [Rows per day, coloured by category]
    auth-outcome-summary: bucket_start by day: successes, failures [Successes, failures per day]
    brute-force-by-user: first_time by day: failures [Failures per day]
    burst-deletion: first_time by day: actions [Actions per day]
    credential-change-log: time by day: rows by action [Rows per day, coloured by action]
    daily-log-review-digest: status: rows [Rows by status]
    dormant-accounts: days_inactive by [90, 180, 365]: rows [Rows by days inactive]
    duplicate-events: kind: copies [Copies by kind]
    effective-access-as-of: subject_label x privilege: rows [Rows by subject and privilege]
    entity-change-log: time by day: rows by activity [Rows per day, coloured by activity]
    ephemeral-accounts: nothing
    event-latency-and-clock-skew: nothing
    failed-admin-actions: action: failures [Failures by action]
    first-seen-actor-action: nothing
    framework-coverage-matrix: framework: rows by assurance [Rows by framework, coloured by assurance]
    group-membership-as-of: group_name: rows [Rows by group name]
    group-membership-changes: time by day: rows by activity [Rows per day, coloured by activity]
    impossible-travel: nothing
    joiner-mover-leaver: category: rows [Rows by category]
    leaver-residual-access: residual_type: rows [Rows by residual type]
    log-gaps: nothing
    logins-without-mfa: nothing
    mandatory-field-completeness: class x element: share [Share by class and element]
    mfa-factor-changes: time by week: rows by action [Rows per week, coloured by action]
    monthly-executive-summary: metric as tiles: value, previous [At a glance]
    new-location-or-ip: nothing
    off-hours-admin-activity: first_time by weekday and hour: rows [Rows by weekday and hour of first time]
    password-spray-by-ip: src_ip: users [Users by src ip]
    pci-10-2-1-coverage-matrix: requirement: events [Events by requirement]
    post-deprovision-activity: finding_type: rows [Rows by finding type]
    privileged-grants-log: time by day: rows by change [Rows per day, coloured by change]
    retention-coverage: nothing
    schema-conformance: rule: events [Events by rule]
    service-account-review: nothing
    session-anomalies: finding_type: rows [Rows by finding type]
    sod-toxic-combinations: nothing
    sod-violations: nothing
    source-reconciliation: class: difference [Difference by class]
    success-after-failures: nothing
    user-deprovisioning-log: time by day: rows by action [Rows per day, coloured by action]
    user-provisioning-log: time by day: rows by outcome [Rows per day, coloured by outcome]
    ");
}

#[test]
fn classes_count_what_they_hold_and_nothing_of_another_state() {
    let report = report(
        &[
            "kind = \"bar\"",
            "x = \"age_days\"",
            "classes = [30, 90, 180, 365]",
            "only = { column = \"state\", is = \"active\" }",
        ],
        &[("state", "string"), ("age_days", "bigint")],
    );
    let mut chart = planned(&report, "UTC");
    let ages = [Some(0), Some(29), Some(30), Some(89), Some(365), Some(4000), None, Some(31)];
    let states = ["active", "active", "active", "active", "active", "active", "active", "deleted"];
    chart.push(&batch(vec![
        ("state", Arc::new(StringArray::from(states.to_vec()))),
        ("age_days", Arc::new(Int64Array::from(ages.to_vec()))),
    ]));
    let found: Vec<(String, f64)> = chart.cells.iter().map(|((key, _), count)| (chart.name(key), *count)).collect();
    let expected = [("unknown", 1.0), ("under 30", 2.0), ("30 \u{2013} 89", 2.0), ("365 and more", 2.0)];
    assert_eq!(found, expected.map(|(name, count)| (name.to_string(), count)));
    let drawing = chart.draw().unwrap();
    let place = |text: &str| drawing.find(text).unwrap();
    assert!(place("under 30") < place("30 \u{2013} 89") && place("365 and more") < place("unknown"));
}

#[test]
fn a_date_is_a_day_wherever_the_report_is_read() {
    let report = report(
        &["kind = \"bar\"", "x = \"day\"", "per = \"day\"", "values = [\"actions\"]"],
        &[("day", "date"), ("actions", "bigint")],
    );
    let first = 20_513; // 2026-03-01
    for tz in ["UTC", "America/New_York", "Asia/Tokyo"] {
        let mut chart = planned(&report, tz);
        chart.push(&batch(vec![
            ("day", Arc::new(Date32Array::from(vec![first - 1, first, first + 30, first + 31]))),
            ("actions", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ]));
        let found: Vec<(String, f64)> = chart
            .cells
            .iter()
            .map(|((key, _), sum)| if let Key::Bin(bin) = key { (Unit::Day.name(*bin), *sum) } else { panic!() })
            .collect();
        assert_eq!(found, [("01 Mar".to_string(), 2.0), ("31 Mar".to_string(), 3.0)], "{tz}");
        assert!(chart.draw().unwrap().contains("31 Mar: 3 actions"), "{tz}");
    }
}

#[test]
fn tiles_have_the_order_of_the_rows_and_say_what_is_better() {
    let columns = [("metric", "string"), ("value", "double"), ("previous", "double")];
    let chart = [
        "kind = \"tiles\"",
        "x = \"metric\"",
        "values = [\"value\", \"previous\"]",
        "less_is_better = [\"small_rate\"]",
    ];
    let report = report(&chart, &columns);
    let mut chart = planned(&report, "UTC");
    chart.push(&batch(vec![
        ("metric", Arc::new(StringArray::from(vec!["small_rate", "large"]))),
        ("value", Arc::new(Float64Array::from(vec![Some(0.0621), Some(1_000_000.0)]))),
        ("previous", Arc::new(Float64Array::from(vec![Some(0.03), None]))),
    ]));
    assert_snapshot!(chart.draw().unwrap().replace("<div>", "\n<div>"), @r#"
    <dl class="tiles">
    <div><dt>small rate</dt><dd>6.2 %<small class="worse">▲ from 3 %</small></dd></div>
    <div><dt>large</dt><dd>1,000,000<small>nothing before</small></dd></div></dl>
    "#);
}
