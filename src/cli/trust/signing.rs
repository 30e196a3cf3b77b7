//! `auditlake key signing`: the key that signs evidence and ledger entries.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::App;
use super::super::terminal::signer::signer;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::Signer;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a private key in FILE, and the public key beside it in FILE.pub
    Create {
        /// Where the private key is written, for its owner alone
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the public key of the private key that the configuration names
    Public,
}

pub fn run(app: &App, action: &Action) -> Result<()> {
    match action {
        Action::Create { file } => create(app, file),
        Action::Public => match signer(app)? {
            Some(signer) => app.screen.print(&signer.public().to_pem()),
            None => Err(Error::usage("the configuration names no signing key")
                .hint("`auditlake key signing create FILE` makes one; then write [signing] key = { file = \"FILE\" }")),
        },
    }
}

fn create(app: &App, file: &Path) -> Result<()> {
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    let signer = Signer::create()?;
    disk::keep_out_of_core_files();
    let cannot = || format!("cannot write the signing key to {}", file.display());
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let mut written = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::usage(format!("{} already exists", file.display())).hint(
                "what was signed with it can be checked only as long as its public key is there: take another name",
            ));
        }
        opened => opened.context(Kind::Unavailable, cannot)?,
    };
    written
        .write_all(signer.to_line().as_bytes())
        .and_then(|()| written.sync_all())
        .context(Kind::Unavailable, cannot)?;
    disk::sync_dir(&disk::parent_of(file)).context(Kind::Unavailable, cannot)?;
    disk::write(&public, signer.public().to_pem().as_bytes())?;
    let (file, public) = (file.display(), public.display());
    app.screen.say(format!(
        "{file} is the private key: only processes that write to the lake or run reports should be able to read it"
    ));
    app.screen.say(format!("{public} is the public key: give it to auditors, separately from the evidence"));
    app.screen.say(format!("add to the configuration:\n\n[signing]\nkey = {{ file = \"{file}\" }}"));
    Ok(())
}
