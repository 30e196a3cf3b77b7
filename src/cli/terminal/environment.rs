//! The environment of commands that the configuration or a flag names.
//!
//! Ours may hold an API key, and the keys of other programs that run from the same place. A command that sends a report
//! must not see them: it gets what programs need to run at all, and what `[commands] environment` names.

use super::super::App;
use crate::source::Environment;

/// The variables that programs need: paths, the user, the language, agents for keys and passwords, and how to reach the
/// network. `LC_` stands for all variables that begin with it.
const USUAL: [&str; 40] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "LANG",
    "LANGUAGE",
    "LC_",
    "TZ",
    "TMPDIR",
    "TERM",
    "COLUMNS",
    "NO_COLOR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "GPG_TTY",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    "CREDENTIALS_DIRECTORY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SYSTEMROOT",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "AUDITLAKE_LAKE",
    "AUDITLAKE_CONFIG",
];

impl App {
    /// Returns everything that a command's environment holds.
    pub(in crate::cli) fn command_environment(&self) -> Environment {
        let more = self.config.command_environment();
        std::env::vars_os().filter(|(name, _)| is_given(&name.to_string_lossy(), more)).collect()
    }
}

fn is_given(name: &str, more: &[String]) -> bool {
    let is_usual = |usual: &str| if usual.ends_with('_') { name.starts_with(usual) } else { name == usual };
    USUAL.iter().any(|usual| is_usual(usual)) || more.iter().any(|one| one == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_with_us() {
        for name in ["PATH", "LC_ALL", "GPG_TTY"] {
            assert!(is_given(name, &[]), "{name}");
        }
        for name in ["ELEVENLABS_API_KEY", "AWS_SECRET_ACCESS_KEY", "PATH_TO_KEY", "LC", ""] {
            assert!(!is_given(name, &[]), "{name}");
        }
        assert!(is_given("AWS_PROFILE", &["AWS_PROFILE".to_string()]));
    }
}
