//! `auditlake key signing`: the key that signs evidence and ledger entries.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::App;
use super::super::terminal::secret::secret;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Signer};
use crate::source::{Environment, KeySource};

const WHAT: &str = "the signing key";

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

/// Returns the key that the configuration names, if it names one.
pub fn signer(app: &App) -> Result<Option<Signer>> {
    app.config.signing().map(|source| read(&source, &app.command_environment())).transpose()
}

/// Reads the private key at `source`; a program that prints it gets `environment`.
pub fn read(source: &KeySource, environment: &Environment) -> Result<Signer> {
    disk::keep_out_of_core_files();
    Signer::parse(secret(source, WHAT, environment)?.expose(), &source.to_string())
}

/// Reads the public key in a file, as `auditlake key signing create` writes it.
pub fn read_public(path: &Path) -> Result<PublicKey> {
    let cannot = || format!("cannot read the public key {}", path.display());
    let text = std::fs::read_to_string(path).context(Kind::Usage, cannot)?;
    PublicKey::parse(&text, &path.display().to_string())
}

fn create(app: &App, file: &Path) -> Result<()> {
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    let signer = Signer::create()?;
    disk::keep_out_of_core_files();
    let cannot = || format!("cannot write {WHAT} to {}", file.display());
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
