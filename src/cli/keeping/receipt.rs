//! Receipts of rows that were removed: a JSON file for programs, and a page for people.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::App;
use super::super::terminal::signer::signer;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::lake::{Lake, RemovalReceipt};
use crate::render::html_text;
use crate::signing::{Purpose, Signature};
use crate::typed::count;

#[derive(Serialize)]
struct Signed<'a> {
    #[serde(flatten)]
    receipt: &'a RemovalReceipt,
    /// The signature over the same object without this member, as one line of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

/// Writes the receipts of some entries into a folder; returns the paths of the JSON files.
pub fn write(app: &App, lake: &Lake, entries: &[u64], folder: &Path) -> Result<Vec<PathBuf>> {
    let signer = signer(app)?;
    let mut written = Vec::new();
    if !entries.is_empty() {
        disk::make_dir(folder).context(Kind::Unavailable, || format!("cannot create {}", folder.display()))?;
    }
    for sequence in entries.iter().copied() {
        let of = lake.clone();
        let receipt = app.wait(async move { of.receipt(sequence).await })?;
        let cannot = || "cannot encode a receipt";
        let bytes = serde_json::to_vec(&receipt).context(Kind::Internal, cannot)?;
        let signature = signer.as_ref().map(|signer| signer.sign(Purpose::Receipt, &bytes));
        let page = page(&receipt, signature.as_ref());
        let signed = Signed { receipt: &receipt, signature };
        let text = serde_json::to_string(&signed).context(Kind::Internal, cannot)? + "\n";
        let path = folder.join(format!("{}-{sequence}.json", receipt.receipt));
        disk::write(&path, text.as_bytes())?;
        disk::write(&path.with_extension("html"), page.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Returns the receipt as a page that loads nothing.
fn page(receipt: &RemovalReceipt, signature: Option<&Signature>) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Receipt</title>\n\
         <style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
         td,th{border:1px solid #999;padding:.2em .6em;text-align:left}code{overflow-wrap:anywhere}</style>\n\
         <h1>",
    );
    out.push_str(match receipt.receipt {
        "erase" => "Identifiers that were replaced",
        _ => "Rows that were removed for their age",
    });
    out.push_str("</h1>\n<table>\n");
    let time = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).map(|time| time.to_rfc3339()).unwrap_or_default();
    let mut fact = |name: &str, value: &str| {
        out.push_str("<tr><th>");
        html_text(name, &mut out);
        out.push_str("</th><td><code>");
        html_text(value, &mut out);
        out.push_str("</code></td></tr>\n");
    };
    fact("Lake", &receipt.lake_id);
    fact("Ledger entry", &format!("{} {}", receipt.entry, receipt.entry_sha256));
    fact("Time", &time(receipt.time_ms));
    fact("Program", &receipt.writer);
    fact("Holds in force", &if receipt.holds.is_empty() { "none".to_string() } else { receipt.holds.join(", ") });
    if let Some(reason) = &receipt.reason {
        fact("Reason", reason);
        fact("Pseudonyms", &receipt.pseudonyms.join(", "));
    }
    match signature {
        Some(signature) => fact("Signed by", &signature.key),
        None => fact("Signed by", "nobody: the configuration names no signing key"),
    }
    out.push_str("</table>\n<h2>Rows</h2>\n<table>\n");
    if !receipt.removed.is_empty() {
        let names =
            ["Table", "Kept for", "Removed before", "Rows removed", "Kept by a hold", "Digest of the removed rows"];
        row(&names.map(str::to_string), &mut out);
    }
    for (table, removed) in &receipt.removed {
        let before = receipt.before_us.get(table).map(|us| time(us.div_euclid(1000))).unwrap_or_default();
        let kept = receipt.policy.get(table).cloned().unwrap_or_default();
        let cells = [table.clone(), kept, before, count(removed.rows), count(removed.held), removed.digest.to_string()];
        row(&cells, &mut out);
    }
    if !receipt.erased.is_empty() {
        row(&["Table", "Rows", "Digest before", "Digest after"].map(str::to_string), &mut out);
    }
    for (table, erased) in &receipt.erased {
        row(&[table.clone(), count(erased.rows), erased.before.to_string(), erased.after.to_string()], &mut out);
    }
    out.push_str("</table>\n<h2>Files that are off the disk</h2>\n<ul>\n");
    for (table, paths) in &receipt.files_removed {
        for path in paths {
            out.push_str("<li><code>");
            html_text(&format!("{table}/{path}"), &mut out);
            out.push_str("</code></li>\n");
        }
    }
    out.push_str("</ul>\n<h2>Files that hold what was left of them</h2>\n<ul>\n");
    for file in &receipt.files_written {
        out.push_str("<li><code>");
        let _ = write!(out, "{} rows: ", file.rows);
        html_text(&format!("{}/{} {}", file.table, file.path, file.sha256), &mut out);
        out.push_str("</code></li>\n");
    }
    out.push_str("</ul>\n</html>\n");
    out
}

fn row(cells: &[String], out: &mut String) {
    out.push_str("<tr>");
    for cell in cells {
        out.push_str("<td>");
        html_text(cell, out);
        out.push_str("</td>");
    }
    out.push_str("</tr>\n");
}
