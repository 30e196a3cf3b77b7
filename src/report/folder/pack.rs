//! `report pack`: evidence in one zip, with a text that says how to check it without this program.
//!
//! The same evidence gives the same bytes, except for the signature's key: no time and no user are written into the zip.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::super::evidence::hashes::read_file;
use super::super::evidence::record::{self, Evidence, Sealer, hash};
use super::manifest;
use super::verify::folder_alone;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Purpose};
use crate::typed::parse_hex;

pub const SUMS: &str = "SHA256SUMS";
pub const TEXT: &str = "CHECK.txt";
const SIGNATURE: &str = "SHA256SUMS.sig";
const KEY: &str = "public-key.pem";

/// The size limit of a packed file: longer ones fill the memory.
const MAX_BYTES: u64 = 1 << 31;

/// The result of packing.
#[derive(Debug)]
pub struct Packed {
    pub bytes: Vec<u8>,
    pub files: usize,
    /// The hash of `SHA256SUMS`: a recipient who gets it another way can tell that the package is the one that was sent.
    pub sums_sha256: String,
    pub is_signed: bool,
}

/// Packs the folder of a report, or the directory of a run over several. Refuses anything that is not as its run wrote it.
pub fn pack(folder: &Path, reports: &[&Path], sealer: &Sealer) -> Result<Packed> {
    manifest::intact(folder, sealer)?;
    let public = sealer.signer.as_ref().map(|signer| signer.public());
    let mut names = Vec::new();
    for report in reports {
        let (evidence, found) = folder_alone(report)?;
        if let Some(problem) = found.problems.first().cloned().or(unbelievable(&evidence, sealer, public.as_ref())?) {
            return Err(Error::new(Kind::Integrity, format!("cannot pack {}: {problem}", report.display()))
                .hint("`auditlake report verify` tells more"));
        }
        names.push((report, evidence));
    }
    let mut files = Vec::new();
    for (report, evidence) in &names {
        let prefix = match report.strip_prefix(folder) {
            Ok(rest) if !rest.as_os_str().is_empty() => format!("{}/", rest.display()),
            _ => String::new(),
        };
        let known = evidence.files.iter().map(|file| file.name.clone());
        let attested = super::attest::files(report)?;
        for name in known.chain([record::FILE.to_string()]).chain(attested) {
            let bytes = read_file(&report.join(&name), MAX_BYTES)?;
            files.push((format!("{prefix}{name}"), bytes));
        }
    }
    for name in manifest::beside_names(folder) {
        let bytes = read_file(&folder.join(name), MAX_BYTES)?;
        files.push((name.to_string(), bytes));
    }
    files.sort();
    let text = text(&files, public.as_ref());
    files.push((TEXT.to_string(), text.into_bytes()));
    if let Some(public) = &public {
        files.push((KEY.to_string(), public.to_pem().into_bytes()));
    }
    let mut sums = String::new();
    for (name, bytes) in &files {
        let _ = writeln!(sums, "{}  {name}", hash(bytes));
    }
    // The signature covers this file, whose first line says its purpose; `sha256sum` takes that line for a comment.
    let signature = sealer.signer.as_ref().map(|signer| signer.sign(Purpose::Package, sums.as_bytes()));
    let sums = Purpose::Package.message(sums.as_bytes());
    let sums_sha256 = hash(&sums);
    files.push((SUMS.to_string(), sums));
    if let Some(signature) = &signature {
        let raw: [u8; 64] = parse_hex(&signature.value)?;
        files.push((SIGNATURE.to_string(), raw.to_vec()));
    }
    let top = folder.file_name().map_or("evidence".to_string(), |name| name.to_string_lossy().into_owned());
    let bytes = zip(&top, &files)?;
    Ok(Packed { bytes, files: files.len(), sums_sha256, is_signed: signature.is_some() })
}

/// Returns why evidence must not get a signature of ours: it has none of its own by the same key, or its seal is wrong.
fn unbelievable(evidence: &Evidence, sealer: &Sealer, public: Option<&PublicKey>) -> Result<Option<String>> {
    if let Some(key) = &sealer.key
        && !evidence.is_sealed_by(key)?
    {
        return Ok(Some("its seal is not of this content and this lake".to_string()));
    }
    match public {
        Some(public) if !evidence.is_signed_by(public)? => {
            Ok(Some("it is not signed with the signing key of the configuration".to_string()))
        }
        _ => Ok(None),
    }
}

fn zip(top: &str, files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let cannot = || "cannot write the package";
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    for (name, bytes) in files {
        zip.start_file(format!("{top}/{name}"), options).context(Kind::Internal, cannot)?;
        zip.write_all(bytes).context(Kind::Internal, cannot)?;
    }
    Ok(zip.finish().context(Kind::Internal, cannot)?.into_inner())
}

/// Returns the text for the recipient of the package. Its indented lines are commands, which a test runs as they are.
fn text(files: &[(String, Vec<u8>)], public: Option<&PublicKey>) -> String {
    let mut out = "How to check this evidence without auditlake\n\
        ============================================\n\n\
        Run the indented lines in the folder that this file is in.\n\n\
        1. Every file is the one that was packed. `sha256sum` comes with Linux; on macOS say `shasum -a 256 -c`.\n\n    \
        sha256sum --quiet -c SHA256SUMS\n\n"
        .to_string();
    match public {
        Some(public) => {
            let _ = write!(
                out,
                "2. SHA256SUMS was signed by the owner of the public key, with Ed25519. OpenSSL 3 checks it:\n\n    \
                 openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in {SUMS} -sigfile {SIGNATURE}\n\n   \
                 A key that comes with the evidence proves nothing. Compare it with the one that you were given by another \
                 way:\n   {}\n\n",
                public.to_pem().lines().nth(1).unwrap_or_default()
            );
        }
        None => out.push_str(
            "2. The package is not signed: whoever could change the files could change SHA256SUMS as well. Ask the sender by \
             another\n   way for the SHA-256 of SHA256SUMS, and compare:\n\n    sha256sum SHA256SUMS\n\n",
        ),
    }
    out.push_str(
        "3. Nothing was left out. Each evidence.json lists the files of its report with their hashes, and manifest.json (of a \
         run\n   over several reports) lists the reports. This prints what is missing or other than it says, and nothing if \
         all is\n   well:\n\n    python3 - <<'END'\n    import hashlib, json, pathlib\n    \
         for listing in sorted([*pathlib.Path('.').glob('manifest.json'), *pathlib.Path('.').glob('**/evidence.json')]):\n        \
         for file in json.loads(listing.read_text('utf-8'))['files']:\n            \
         path = listing.parent / file['name']\n            \
         if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file['sha256']:\n                \
         print(path, 'is missing or was changed')\n    END\n\n\
         4. What the files are. report.html is the page of a report: it opens in any browser and asks no server. result.csv,\n   \
         result.json and result.parquet hold all of its rows. evidence.json says which question was asked (the whole SQL),\n   \
         with which parameters, of which state of the log, what the log did not cover, who ran it and when. review-1.html and\n   \
         attestation-1.json, where they are there, say what somebody decided of each row.\n\n\
         5. Whether the rows follow from the log, only the log can say. With auditlake and the lake at hand,\n   \
         `auditlake report verify FOLDER` runs each report again on the same ledger entry and compares the bytes.\n\n",
    );
    let _ = writeln!(out, "{} files were packed beside this text.", files.len());
    out
}
