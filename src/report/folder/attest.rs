//! `attestation-1.json`: somebody's decision on each row of a report, and who reviewed it.
//!
//! ```text
//! evidence.json <--sha256-- attestation-1.json <--sha256-- attestation-2.json
//!                           review-1.html                  review-2.html
//! ```
//!
//! The evidence stays as its run wrote it. An attestation names its hash and that of the attestation before it, and is
//! signed and sealed as the evidence is, so that none can be taken out or changed unseen. A later one replaces no earlier
//! one.

use std::collections::HashSet;
use std::path::Path;

use super::super::catalog::header::Report;
use super::super::evidence::hashes::{FileHash, names, read_file};
use super::super::evidence::record::{self, Evidence, NO_SEAL, PROGRAM, Sealer, hash, seal_of};
use super::super::output::page::review_page;
use super::super::runs::attestation::{Attestation, Choice, Decision, text_of};
use super::super::runs::diff::{Entry, rows};
use super::super::words::counted;
use super::verify::Findings;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Purpose};
use chrono::NaiveDate;

const FORMAT: u32 = 1;
/// Bytes of an attestation, which is read as a whole.
const MAX_BYTES: u64 = 1 << 28;
/// The columns of a file of decisions; others are for the person who fills it in.
const COLUMNS: [&str; 5] = ["finding", "decision", "reason", "reviewer", "date"];

/// The person who attests, and the time.
#[derive(Debug, Clone)]
pub struct Attester {
    pub time_ms: i64,
    pub login: String,
    pub name: String,
    pub sealer: Sealer,
}

/// Reads a file of decisions: CSV with a header. Errors name the line.
pub fn decisions(text: &str, origin: &str) -> Result<Vec<Decision>> {
    let wrong = |message: String| {
        Error::usage(format!("cannot use the decisions {origin}: {message}"))
            .hint("its columns are finding, decision (keep or revoke), reason, reviewer and date; `report attest FOLDER --template FILE` writes such a file")
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
        *place = found.ok_or_else(|| wrong(format!("the column `{name}` is missing")))?;
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let line = record.position().map_or(0, |position| position.line());
        let [finding, decision, reason, reviewer, date] =
            places.map(|place| record.get(place).unwrap_or_default().trim());
        let at = |message: String| wrong(format!("line {line}: {message}"));
        if !seen.insert(finding.to_string()) {
            return Err(at(format!("`{finding}` has a decision already")));
        }
        let decision = match decision.to_lowercase().as_str() {
            "keep" => Choice::Keep,
            "revoke" => Choice::Revoke,
            "" => return Err(at(format!("`{finding}` has no decision"))),
            other => return Err(at(format!("`{other}` is not a decision"))),
        };
        if NaiveDate::parse_from_str(date, "%Y-%m-%d").is_err() {
            return Err(at(format!("`{date}` is not a date such as 2026-01-31")));
        }
        if reviewer.is_empty() {
            return Err(at(format!("nobody is named who decided `{finding}`")));
        }
        let [finding, reason, reviewer, date] = [finding, reason, reviewer, date].map(str::to_string);
        found.push(Decision { finding, decision, reason, reviewer, date });
    }
    Ok(found)
}

/// Returns a file of decisions to fill in: a line for each row, followed by the content of the row.
pub fn template(folder: &Path, report: &Report) -> Result<String> {
    let (_, rows) = rows(folder)?;
    let shown: Vec<&String> = report.columns.iter().map(|column| &column.name).collect();
    let cannot = || "cannot write the decisions";
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = COLUMNS.into_iter().chain(shown.iter().map(|name| name.as_str()));
    writer.write_record(header).context(Kind::Internal, cannot)?;
    for entry in rows {
        let empty = std::iter::repeat_n(String::new(), COLUMNS.len() - 1);
        let values = shown.iter().map(|name| text_of(entry.row.get(*name)));
        writer
            .write_record(std::iter::once(entry.finding.clone()).chain(empty).chain(values))
            .context(Kind::Internal, cannot)?;
    }
    let bytes =
        writer.into_inner().map_err(|error| Error::new(Kind::Internal, cannot()).caused_by(error.into_error()))?;
    String::from_utf8(bytes).context(Kind::Internal, cannot)
}

/// Writes an attestation with its page into a folder whose evidence the caller has checked. `decisions`: one for each
/// row of the report, or none at all.
///
/// Errors with [`Kind::Usage`] for a decision without a row, and for a row without one.
pub fn attest(folder: &Path, report: &Report, who: &Attester, decisions: Vec<Decision>) -> Result<Attestation> {
    let bytes = read_file(&folder.join(record::FILE), MAX_BYTES)?;
    let evidence = Evidence::parse(&bytes, record::FILE)?;
    let (_, rows) = rows(folder)?;
    complete(&rows, &decisions)?;
    let before = chain(folder)?;
    let number = before.len() as u64 + 1;
    let mut attestation = Attestation {
        format: FORMAT,
        report: evidence.report.id.clone(),
        evidence_sha256: hash(&bytes),
        number,
        previous_sha256: before.last().map(|(_, sha256)| sha256.clone()),
        time_ms: who.time_ms,
        program: PROGRAM.to_string(),
        prepared_by: evidence.run.user.clone(),
        attested_by: who.login.clone(),
        reviewed_by: who.name.clone(),
        decisions,
        files: Vec::new(),
        signature: None,
        seal: None,
    };
    let page = review_page(report, &evidence, &attestation, &rows);
    let name = Attestation::page(number);
    attestation.files.push(FileHash { name: name.clone(), bytes: page.len() as u64, sha256: hash(page.as_bytes()) });
    let text = attestation.to_bytes()?;
    attestation.signature = who.sealer.signer.as_ref().map(|signer| signer.sign(Purpose::Attestation, &text));
    attestation.seal = who.sealer.key.as_ref().map(|key| seal_of(key, &text));
    disk::write(&folder.join(name), page.as_bytes())?;
    disk::write(&folder.join(Attestation::file(number)), &attestation.to_bytes()?)?;
    Ok(attestation)
}

fn complete(rows: &[Entry], decisions: &[Decision]) -> Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    let keys: HashSet<&str> = rows.iter().map(|row| row.finding.as_str()).collect();
    if let Some(one) = decisions.iter().find(|one| !keys.contains(one.finding.as_str())) {
        return Err(Error::usage(format!("cannot attest: the report has no row `{}`", one.finding))
            .hint("`report attest FOLDER --template FILE` writes a file with the key of each row"));
    }
    let decided: HashSet<&str> = decisions.iter().map(|one| one.finding.as_str()).collect();
    let open: Vec<&str> = keys.into_iter().filter(|key| !decided.contains(key)).collect();
    match open.iter().min() {
        None => Ok(()),
        Some(first) => Err(Error::usage(format!("cannot attest: {} without a decision, such as `{first}`", {
            counted(open.len() as u64, "row")
        }))
        .hint("a review decides every row; give the missing ones a line each")),
    }
}

/// Returns the attestations of a folder with the hash of each, in order; the first missing one ends the list.
fn chain(folder: &Path) -> Result<Vec<(Attestation, String)>> {
    let mut found = Vec::new();
    for number in 1.. {
        let path = folder.join(Attestation::file(number));
        if path.symlink_metadata().is_err() {
            break;
        }
        let bytes = read_file(&path, MAX_BYTES)?;
        let read: Attestation =
            serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display()))?;
        if read.format != FORMAT {
            return Err(Error::input(format!(
                "{} has format {}; this program knows {FORMAT}",
                path.display(),
                read.format
            )));
        }
        if read.to_bytes()? != bytes {
            return Err(Error::new(Kind::Integrity, format!("{} is not written as an attestation is", path.display())));
        }
        found.push((read, hash(&bytes)));
    }
    Ok(found)
}

/// Returns the names that the attestations of a folder have, whether the files exist or not.
pub fn files(folder: &Path) -> Result<Vec<String>> {
    let all = chain(folder)?;
    let own = all.iter().map(|(one, _)| Attestation::file(one.number));
    Ok(own.chain(all.iter().flat_map(|(one, _)| one.files.iter().map(|file| file.name.clone()))).collect())
}

/// Returns what is wrong with the attestations of a folder: each must be of this evidence and follow the one before,
/// its page must be the one that it made, and every row must have its decision.
pub fn check(folder: &Path) -> Result<Vec<String>> {
    let all = chain(folder)?;
    let mut problems = Vec::new();
    // A number that follows nothing shows that an earlier one was taken away.
    for name in names(folder)? {
        let number = name.strip_prefix("attestation-").and_then(|rest| rest.strip_suffix(".json"));
        if number
            .is_some_and(|number| number.parse().map_or(true, |number: u64| number == 0 || number > all.len() as u64))
        {
            problems.push(format!("{name} follows no attestation"));
        }
    }
    if all.is_empty() {
        return Ok(problems);
    }
    let evidence = hash(&read_file(&folder.join(record::FILE), MAX_BYTES)?);
    let (_, rows) = rows(folder)?;
    let mut before: Option<&String> = None;
    for (place, (one, sha256)) in all.iter().enumerate() {
        let name = Attestation::file(one.number);
        let mut wrong = |what: &str| problems.push(format!("{name} {what}"));
        if one.number != place as u64 + 1 || one.previous_sha256.as_ref() != before {
            wrong("does not follow the attestation before it");
        }
        if one.evidence_sha256 != evidence {
            wrong("is of other evidence");
        }
        if complete(&rows, &one.decisions).is_err() {
            wrong("does not decide the rows of this report");
        }
        for file in &one.files {
            let is_ours = file.name == Attestation::page(one.number);
            match read_file(&folder.join(&file.name), MAX_BYTES) {
                Ok(bytes) if is_ours && hash(&bytes) == file.sha256 => {}
                Ok(_) => wrong(&format!("has another {} than is there", file.name)),
                Err(_) => wrong(&format!("misses {}", file.name)),
            }
        }
        before = Some(sha256);
    }
    Ok(problems)
}

/// Checks the seals and signatures of a folder's attestations as far as there are keys for it.
pub fn sealed(folder: &Path, key: Option<&[u8; 32]>, public: Option<&PublicKey>) -> Result<Findings> {
    let mut found = Findings::default();
    for (one, _) in chain(folder)? {
        let name = Attestation::file(one.number);
        let bytes = one.unsealed().to_bytes()?;
        match (key, &one.seal) {
            (Some(_), None) => found.problems.push(format!("{name} {NO_SEAL}")),
            (Some(key), Some(seal)) if *seal != seal_of(key, &bytes) => {
                found.problems.push(format!("{name} was changed: its seal is not of this content and this lake"));
            }
            _ => {}
        }
        let is_signed = |public: &PublicKey| {
            one.signature.as_ref().is_some_and(|known| public.has_signed(Purpose::Attestation, &bytes, known))
        };
        if public.is_some_and(|public| !is_signed(public)) {
            found.problems.push(format!("{name} is not signed by the owner of that public key"));
        }
        found.notes.push(format!("reviewed by {}, as stated by {}, {}", one.reviewed_by, one.attested_by, {
            let counts = one.review().in_words();
            if counts.is_empty() { "without decisions".to_string() } else { counts }
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_that_are_not_complete_are_refused_with_their_line() {
        let read = |text: &str| decisions(text, "d.csv");
        let good = "\u{feff}finding,subject,Decision,reason,reviewer,date\na|1,Ann,keep,still needed,Bo,2026-01-31\nb,,REVOKE,,Bo,2026-02-01\n";
        let found = read(good).unwrap();
        assert_eq!((found[0].decision, found[1].decision), (Choice::Keep, Choice::Revoke));
        assert_eq!(found[0].reason, "still needed");
        let said = |text: &str| read(text).unwrap_err().message().replace("cannot use the decisions d.csv: ", "");
        assert_eq!(said("finding,decision\n"), "the column `reason` is missing");
        let line =
            |line: &str| said(&format!("finding,decision,reason,reviewer,date\na,keep,,Bo,2026-01-31\n{line}\n"));
        assert_eq!(line("a,keep,,Bo,2026-01-31"), "line 3: `a` has a decision already");
        assert_eq!(line("b,,,Bo,2026-01-31"), "line 3: `b` has no decision");
        assert_eq!(line("b,maybe,,Bo,2026-01-31"), "line 3: `maybe` is not a decision");
        assert_eq!(line("b,keep,,,2026-01-31"), "line 3: nobody is named who decided `b`");
        assert_eq!(line("b,keep,,Bo,31.1.2026"), "line 3: `31.1.2026` is not a date such as 2026-01-31");
    }

    #[test]
    fn every_row_has_exactly_its_decision() {
        let row = |key: &str| Entry { finding: key.into(), severity: "medium", row: serde_json::Map::new() };
        let decide = |key: &str| Decision {
            finding: key.into(),
            decision: Choice::Keep,
            reason: String::new(),
            reviewer: "Bo".into(),
            date: "2026-01-31".into(),
        };
        let said = |decisions: &[Decision]| {
            complete(&[row("a"), row("b"), row("c")], decisions).err().map(|error| error.message().to_string())
        };
        assert_eq!(said(&[decide("a"), decide("b"), decide("c")]), None);
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[decide("a")]).unwrap(), "cannot attest: 2 rows without a decision, such as `b`");
        assert_eq!(said(&[decide("x")]).unwrap(), "cannot attest: the report has no row `x`");
    }
}
