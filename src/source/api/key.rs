//! The API key: read from where the configuration says, and shown nowhere.
//!
//! It is never an argument, so `ps` does not show it; it has no `Display`, and its `Debug` is a constant; the header
//! is marked sensitive. What a server sends is scrubbed of it, since a server may send back what it got.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use memchr::memmem;
use reqwest::header::HeaderValue;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::disk;
use crate::error::{Context, Error, Kind, Result};

/// Longer is not a key, but a file or a program that was named by mistake.
const MAX_BYTES: usize = 4096;
/// A program that asks somebody for a password has so long; one that hangs must not hang a scheduled job.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Stands where the key stood. Its form is that of all redactions but for the digits: they would tell whose key it is.
const PLACEHOLDER: &[u8] = b"[REDACTED:api-key]";

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The name of an environment variable, which the command line reads.
    Environment(String),
    /// Readable by its owner only.
    File(PathBuf),
    /// A program and its arguments; the first line it prints.
    Command(Vec<String>),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::Environment(variable) => f.write_str(variable),
            KeySource::File(path) => write!(f, "{}", path.display()),
            KeySource::Command(words) => write!(f, "`{}`", words.first().map_or("", String::as_str)),
        }
    }
}

/// An API key.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Takes the key out of `text`, which came from `origin`; white space around it is dropped. `what` names it in
    /// messages: "the API key".
    pub fn new(text: &str, what: &str, origin: &str) -> Result<Key> {
        let text = text.trim();
        // What is wrong with it is told without showing it.
        let wrong = if text.is_empty() {
            "it is empty"
        } else if text.len() > MAX_BYTES {
            "it is too long for a key"
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            "it is not one word of visible ASCII"
        } else {
            return Ok(Key(text.to_string()));
        };
        Err(Error::usage(format!("cannot use {what} from {origin}: {wrong}")))
    }

    /// The key itself, for what reads it: no message may hold it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The header's value, which no log shows.
    pub(super) fn header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0)
            .map_err(|_| Error::usage("the API key has characters that a header cannot hold"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Takes the key out of what somebody sent.
    pub fn scrub(&self, bytes: Vec<u8>) -> Vec<u8> {
        let finder = memmem::Finder::new(self.0.as_bytes());
        if finder.find(&bytes).is_none() {
            return bytes;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for at in finder.find_iter(&bytes) {
            clean.extend_from_slice(&bytes[from..at]);
            clean.extend_from_slice(PLACEHOLDER);
            from = at + self.0.len();
        }
        clean.extend_from_slice(&bytes[from..]);
        clean
    }

    /// As [`Key::scrub`], for words of our own and of libraries.
    pub fn scrub_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.scrub(text.as_bytes().to_vec())).into_owned()
    }
}

/// Reads a secret, which messages call `what`, from a file that nobody but its owner can read; no more of it than a key
/// may have, so that one that is too long shows.
pub fn read_secret(path: &Path, what: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let file = disk::open_secret(path, what)?;
    let cannot = || format!("cannot read {what} from {}", path.display());
    file.take(MAX_BYTES as u64 + 2).read_to_end(&mut bytes).context(Kind::Usage, cannot)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// All variables that a program gets.
pub type Environment = Vec<(OsString, OsString)>;

/// Runs a program, without a shell and with no other environment than this, and takes the first line that it prints: a
/// secret, which messages call `what`.
pub async fn ask(command: &[String], what: &str, environment: &Environment) -> Result<String> {
    let [program, arguments @ ..] = command else {
        return Err(Error::usage(format!("cannot run the command for {what}: it is empty")));
    };
    let cannot = || format!("cannot get {what} from `{program}`");
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context(Kind::Usage, cannot)?;
    let mut output = Vec::new();
    let run = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_BYTES as u64 + 2).read_to_end(&mut output).await?;
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(COMMAND_LIMIT, run).await {
        Ok(status) => status.context(Kind::Unavailable, cannot)?,
        Err(_) => {
            let seconds = COMMAND_LIMIT.as_secs();
            return Err(Error::new(Kind::Unavailable, format!("{}: it ran for more than {seconds} s", cannot())));
        }
    };
    if !status.success() {
        return Err(Error::new(Kind::Unavailable, format!("{}: it ended with {status}", cannot())));
    }
    let text = String::from_utf8_lossy(&output);
    Ok(text.lines().next().unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "the API key";

    #[test]
    fn a_key_is_one_word_and_never_shows() {
        let key = Key::new(" k-123 \n", WHAT, "x").unwrap();
        assert_eq!(format!("{key:?}"), "Key");
        assert!(key.header().unwrap().is_sensitive());
        for wrong in ["", " \n", "two words", "schlüssel", &"k".repeat(5000)] {
            let error = Key::new(wrong, WHAT, "VARIABLE").unwrap_err().to_string();
            assert!(error.contains("VARIABLE"), "{error}");
            assert!(wrong.trim().is_empty() || !error.contains(wrong.trim()), "{error}");
        }
    }

    #[test]
    fn what_a_server_sends_back_is_scrubbed() {
        let key = Key::new("abcab", WHAT, "x").unwrap();
        assert_eq!(key.scrub_text("abcabcab abcab"), "[REDACTED:api-key]cab [REDACTED:api-key]");
        assert_eq!(key.scrub_text("abca"), "abca");
    }

    #[test]
    fn a_key_comes_from_a_file_of_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        disk::replace_private(&file, b"k-123\n").unwrap();
        assert_eq!(read_secret(&file, WHAT).unwrap(), "k-123\n");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
        let error = read_secret(&file, WHAT).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().unwrap().contains("chmod 600"));
    }

    #[tokio::test]
    async fn a_command_gives_its_first_line() {
        let words = |text: &str| text.split('|').map(str::to_string).collect::<Vec<_>>();
        let environment = vec![("PATH".into(), "/usr/bin:/bin".into()), ("GIVEN".into(), "k-2".into())];
        let key = async |text: &str| ask(&words(text), WHAT, &environment).await;
        assert_eq!(key("printf|k-1\\nsecond\\n").await.unwrap(), "k-1");
        // Of our own environment, in which keys may be, it sees nothing.
        assert_eq!(key("sh|-c|echo $GIVEN$HOME$CARGO").await.unwrap(), "k-2");
        assert!(key("false").await.is_err());
        assert!(key("no-such-program-here").await.is_err());
        assert!(ask(&[], WHAT, &environment).await.is_err());
    }
}
