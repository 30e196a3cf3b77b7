//! `auditlake serve`: the audit-log endpoint over the lake.

use std::path::PathBuf;

use super::App;
use crate::error::{Error, Result};
use crate::serve::{self, Ready, Run, Tls};
use crate::typed::count;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Host and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP beyond this machine: keys and log entries are sent in clear
    #[arg(long)]
    insecure_listen: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    app.tell_of_secrets();
    let (policy, redaction_version) = app.policy(&lake)?;
    let mut options = app.config.serve();
    options.listen = args.listen.unwrap_or(options.listen);
    options.is_insecure_allowed = args.insecure_listen;
    options.tls = tls(options.tls, args.tls_cert, args.tls_key)?;

    let text = "stopping: responses that are running end first; ^C again stops at once";
    let stopping = app.signals.stop(app.screen, text);
    let (clock, screen, stop) = (app.clock, app.screen, stopping.told.clone());
    app.wait(async move {
        let mut ready = |ready: Ready| {
            if ready.recovered > 0 {
                screen.say(format!("committed {} reads that an earlier server left", count(ready.recovered)));
            }
            for missing in &ready.missing {
                screen.warn(missing);
            }
            if let Some(address) = ready.metrics {
                screen.say(format!("metrics at http://{address}/metrics"));
            }
            // The URL is for a caller that started us on port 0 and waits for it; a closed stdout stops nobody from asking.
            let _ = screen.print(&format!("{}\n", ready.url));
        };
        serve::run(Run { lake, policy, redaction_version, clock, options, stop, ready: &mut ready }).await
    })?;
    // A signal is the normal end of a server.
    Ok(0)
}

fn tls(configured: Option<Tls>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>> {
    let empty = Tls { certificate: PathBuf::new(), key: PathBuf::new() };
    let old = configured.unwrap_or(empty);
    let tls = Tls { certificate: certificate.unwrap_or(old.certificate), key: key.unwrap_or(old.key) };
    match (tls.certificate.as_os_str().is_empty(), tls.key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(tls)),
        _ => Err(Error::usage("TLS needs both a certificate and its key").hint("pass --tls-cert and --tls-key")),
    }
}
