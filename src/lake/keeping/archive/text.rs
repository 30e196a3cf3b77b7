//! The text in an archive for a reader who does not have this program.

use std::fmt::Write as _;

use super::super::manifest::Manifest;
use super::{KEY, SIGNATURE, SUMS};
use crate::signing::PublicKey;

pub fn text(manifest: &Manifest, public: Option<&PublicKey>) -> String {
    let mut out = format!(
        "Audit events from {} to before {} (UTC)\n\
         ===================================================\n\n\
         {} rows in {} Parquet files: the tables of the lake {}\n\
         as they were after its ledger entry {}.\n\n\
         Read them. Any reader of Parquet does; DuckDB for example, in this folder:\n\n    \
         SELECT * FROM read_parquet('authentication/*/*.parquet', hive_partitioning = true);\n\n\
         `schema/` describes the columns of each table.\n\n\
         Check them. `auditlake verify --level 3 FILE.tar` checks the archive as it is. Without auditlake, `sha256sum`\n\
         (on macOS `shasum -a 256`) compares every file with the list that was packed with it:\n\n    \
         sha256sum --quiet -c {SUMS}\n\n",
        manifest.since,
        manifest.until,
        manifest.rows(),
        manifest.files(),
        manifest.lake_id,
        manifest.entry
    );
    match public {
        Some(public) => {
            let _ = write!(
                out,
                "The list is signed with Ed25519 by the owner of the public key. OpenSSL 3 checks it:\n\n    \
                 openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in {SUMS} -sigfile {SIGNATURE}\n\n\
                 A key that comes with the files proves nothing. Compare it with the one that you were given by another \
                 way:\n{}\n",
                public.to_pem().lines().nth(1).unwrap_or_default()
            );
        }
        None => out.push_str(
            "The list is not signed: whoever could change the files could change the list as well. Compare the number and\n\
             the SHA-256 of the newest ledger entry, which `archive.json` names, with what was written down elsewhere.\n",
        ),
    }
    out
}
