//! The result of every file of an ingest: one line per file while there are few, counts when there are many.

use super::screen::Screen;
use crate::ingest::{SourceSummary, Summary};
use crate::typed::count;

/// The most files that are reported one by one, those in trouble first; the JSON summary has all.
const TOLD: usize = 20;

/// The most names of skipped files that are reported.
const NAMED: usize = 5;

/// States of sources without trouble, with their words.
const WELL: [(&str, &str); 2] = [("complete", "read"), ("skipped", "already ingested")];

pub fn say(screen: &Screen, summary: &Summary) {
    let sources = &summary.sources;
    let (well, trouble): (Vec<_>, Vec<_>) = sources.iter().partition(|source| is_well(source));
    let told: Vec<&SourceSummary> = if sources.len() <= TOLD {
        sources.iter().filter(|source| sources.len() > 1 || is_remarkable(source)).collect()
    } else {
        trouble.iter().copied().take(TOLD).collect()
    };
    for source in &told {
        screen.say(format!("{}: {}", source.name, fate(source)));
    }
    if sources.len() > TOLD {
        let well = WELL.map(|(state, words)| (well.iter().filter(|source| source.state == state).count(), words));
        let of_them = well
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, words)| format!("{} {words}", count(*number as u64)));
        let mut parts: Vec<String> = of_them.collect();
        if !trouble.is_empty() {
            parts.push(format!("{} in trouble", count(trouble.len() as u64)));
        }
        screen.say(format!(
            "{} files: {}; --summary-json has each of them",
            count(sources.len() as u64),
            parts.join(", ")
        ));
    }
    passed_over(screen, &summary.passed_over);
}

fn passed_over(screen: &Screen, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let directories = names.iter().filter(|name| name.ends_with('/')).count();
    let what = match (names.len() - directories, directories) {
        (files, 0) => plural(files, "file was", "files were"),
        (0, directories) => plural(directories, "directory was", "directories were"),
        (files, directories) => {
            format!(
                "{} and {}",
                plural(files, "file", "files"),
                plural(directories, "directory were", "directories were")
            )
        }
    };
    let mut shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        shown += &format!(" and {} more", count((names.len() - NAMED) as u64));
    }
    screen.say(format!("{what} not read: {shown} (--all reads every file, --include those that match)"));
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

fn is_well(source: &SourceSummary) -> bool {
    WELL.iter().any(|(state, _)| *state == source.state)
}

/// Returns whether the state is worth a line when there is only one source.
fn is_remarkable(source: &SourceSummary) -> bool {
    source.state != "complete" || source.resumed_lines > 0
}

fn fate(source: &SourceSummary) -> String {
    let SourceSummary { state, detail, resumed_lines, .. } = source;
    match state.as_str() {
        "skipped" => "already ingested, nothing new".to_string(),
        "complete" if *resumed_lines > 0 => format!("resumed after line {}, {}", count(*resumed_lines), lines(source)),
        "complete" => lines(source),
        "pending" if source.lines == 0 => detail.clone(),
        "pending" => format!("{}; {detail}", lines(source)),
        "not-events" => detail.clone(),
        "refused" => format!("not read: {detail}"),
        "unreadable" => format!("unreadable: {detail}"),
        _ => format!("incomplete ({state}) {detail}"),
    }
}

fn lines(source: &SourceSummary) -> String {
    let read = plural(source.lines as usize, "line", "lines");
    match source.rejected {
        0 => read,
        rejected => format!("{read}, {} rejected", count(rejected)),
    }
}
