//! A description of a file that gave no row, for the user who named it.

use std::collections::BTreeSet;

use crate::typed::visible;

/// JSON of well-known services that is not OCSF: members that tell it, its name, and where its OCSF comes from.
const VENDORS: [(&[&str], &str, &str); 16] = [
    (
        &["eventVersion", "eventSource", "eventName"],
        "AWS CloudTrail",
        "Amazon Security Lake and most collectors write it as OCSF",
    ),
    (&["eventVersion", "awsRegion"], "AWS CloudTrail", "Amazon Security Lake and most collectors write it as OCSF"),
    (&["protoPayload"], "Google Cloud audit logs", MAP),
    (&["logName", "insertId"], "Google Cloud logs", MAP),
    (&["operationName", "resourceId"], "Azure logs", MAP),
    (&["CreationTime", "Workload", "Operation"], "Microsoft 365 audit logs", MAP),
    (&["published", "eventType", "legacyEventType"], "the Okta system log", MAP),
    (&["published", "eventType", "displayMessage"], "the Okta system log", MAP),
    (&["_document_id", "@timestamp"], "the GitHub audit log", MAP),
    (&["action", "actor_id", "created_at"], "the GitHub audit log", MAP),
    (&["kind", "auditID"], "Kubernetes audit events", MAP),
    (&["apiVersion", "auditID"], "Kubernetes audit events", MAP),
    (&["@timestamp", "ecs"], "Elastic Common Schema", MAP),
    (&["id.orig_h", "uid", "ts"], "Zeek logs", MAP),
    (&["event_type", "flow_id"], "Suricata events", MAP),
    (&["EventID", "Channel", "Computer"], "Windows events", MAP),
];

const MAP: &str = "map it to OCSF first, in the collector or with a transform";

/// Says what the start of a stream looks like, and what can be done, in one phrase.
pub fn look(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let first = text.lines().next().unwrap_or_default();
    if text.is_empty() {
        return "it is blank".into();
    }
    if text.contains('\0') || head.iter().filter(|byte| byte.is_ascii_control()).count() * 10 > head.len() * 4 {
        return "it looks like binary data: export its events as OCSF JSON, one a line".into();
    }
    if let Some(rest) = text.strip_prefix(['{', '[']) {
        return json(text, rest);
    }
    let starts = |what: &str| first.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    let what = if starts("<!doctype html") || starts("<html") {
        "HTML: a page was saved in place of the data, of a failed download or log-in perhaps"
    } else if starts("<event") || first.contains("schemas.microsoft.com/win/2004/08/events") {
        "Windows events as XML: convert them to OCSF JSON"
    } else if first.starts_with('<') && !first.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        "XML: convert it to OCSF JSON"
    } else if first.contains("CEF:0|") || first.contains("CEF:1|") {
        "CEF: map it to OCSF first"
    } else if first.contains("LEEF:1.0|") || first.contains("LEEF:2.0|") {
        "LEEF: map it to OCSF first"
    } else if first.contains("type=") && first.contains("msg=audit(") {
        "the log of the Linux audit daemon: map it to OCSF first"
    } else if is_table(text, ',') {
        "CSV: convert it to OCSF JSON, one event a line"
    } else if is_table(text, '\t') {
        "a table with tabs: convert it to OCSF JSON, one event a line"
    } else if first.starts_with('<') || first.as_bytes().first().is_some_and(u8::is_ascii_digit) || is_month(first) {
        "a text log: its events have to become OCSF JSON first"
    } else {
        "text: an event is a JSON object with `class_uid` and `time`"
    };
    format!("it looks like {what}")
}

/// Describes an object or array; `rest` is the text after its first bracket.
fn json(text: &str, rest: &str) -> String {
    let names = names(text);
    let has = |name: &&str| names.contains(*name);
    if let Some((_, vendor, advice)) = VENDORS.iter().find(|(members, _, _)| members.iter().all(&has)) {
        return format!("it looks like {vendor}, which is not OCSF: {advice}");
    }
    if has(&"class_uid") {
        return "it holds `class_uid`, but no row could be made of it: see the reasons of its rejects".into();
    }
    if has(&"type_uid") || has(&"activity_id") || has(&"category_uid") {
        return "it looks like OCSF without `class_uid`, which says the event's class".into();
    }
    let first = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
    if let Some((name, value)) = first.filter(|_| text.starts_with('{')) {
        let mut shown = String::new();
        visible(&name.chars().take(40).collect::<String>(), &mut shown);
        let value = value.trim_start().strip_prefix(':').unwrap_or(value).trim_start();
        if value.starts_with('[') {
            return format!("`{shown}` holds a list: a wrapper that is not known, or one without OCSF events");
        }
        return format!(
            "its objects begin with `{shown}` and have no `class_uid`: they are not OCSF, or in an unknown wrapper"
        );
    }
    "its values are not OCSF events, which are objects with `class_uid` and `time`".into()
}

/// All strings that are followed by a colon, at whatever depth.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        rest = &rest[start + 1..];
        let Some(end) = rest.find('"') else { break };
        let name = &rest[..end];
        rest = &rest[end + 1..];
        if rest.trim_start().starts_with(':') {
            names.insert(name.to_string());
        }
    }
    names
}

/// Whether the first lines have the same number of separators, at least two each.
fn is_table(text: &str, separator: char) -> bool {
    let counts: Vec<usize> = text.lines().take(3).map(|line| line.matches(separator).count()).collect();
    // The last line of a head is cut off.
    let whole = if counts.len() > 2 { &counts[..2] } else { &counts[..1.min(counts.len())] };
    whole.iter().all(|count| *count >= 2 && *count == whole[0])
}

fn is_month(line: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    line.get(..3).is_some_and(|start| MONTHS.contains(&start)) && line.as_bytes().get(3) == Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_looks() {
        for (text, told) in [
            (r#"{"Records":[{"eventVersion":"1.08","eventSource":"s3","eventName":"Get"}]}"#, "AWS CloudTrail"),
            (
                r#"[{"uuid":"1","published":"x","eventType":"user.session.start","displayMessage":"y"}]"#,
                "the Okta system log",
            ),
            (r#"{"@timestamp":1,"_document_id":"x","action":"repo.create"}"#, "the GitHub audit log"),
            (r#"{"Things":[{"a":1}]}"#, "`Things` holds a list"),
            (r#"{"log":"hello\n","stream":"stdout"}"#, "its objects begin with `log`"),
            (r#"{"activity_id":1,"time":1}"#, "OCSF without `class_uid`"),
            (r#"{"class_uid":3002}"#, "see the reasons"),
            ("time,user,action\n1,a,b\n2,c,d\n", "CSV"),
            ("<html><body>", "HTML"),
            ("<Event xmlns='x'>", "Windows events"),
            ("<?xml version='1.0'?>", "XML"),
            ("<134>Jan  1 00:00:00 host CEF:0|a|b|c", "CEF"),
            ("Jan  1 00:00:00 host sshd[1]: x", "a text log"),
            ("type=USER_LOGIN msg=audit(1.0:1): x", "audit daemon"),
            ("hello", "it looks like text"),
            ("[1,2]", "its values are not OCSF"),
            ("\0\u{1}\u{2}", "binary"),
            ("", "blank"),
        ] {
            let look = look(text.as_bytes());
            assert!(look.contains(told), "{text}: {look}");
        }
        let hidden = look("{\"a\u{202e}b\u{1b}[31m\":1}".as_bytes());
        assert!(!hidden.contains(['\u{202e}', '\u{1b}']), "{hidden}");
    }
}
