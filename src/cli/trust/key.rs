//! `auditlake key`: keys for reading the audit log through `auditlake serve`, and the key that signs evidence.

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use super::super::terminal::value::when;
use super::signing;
use crate::error::Result;
use crate::lake::Lake;
use crate::render::{self, Format};
use crate::serve::{Holder, KeyRecord, Keyring, METRICS_PERMISSION, NewKey, PERMISSION};
use crate::typed::When;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Create the key that signs evidence, which proves who wrote it
    #[command(subcommand)]
    Signing(signing::Action),
    /// Create a key and print it once: only its hash is stored
    Create(Create),
    /// List keys, without the keys themselves
    List(List),
    /// Revoke a key; a running server refuses it from its next request on
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The id of the user or service account that the key belongs to; its keys share one rate limit
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    user: String,
    /// The key belongs to a service account
    #[arg(long)]
    service_account: bool,
    /// Permission of its holder: audit_log_read for the log, metrics_read for the server's metrics
    #[arg(long = "permission", value_name = "NAME", value_parser = [PERMISSION, METRICS_PERMISSION])]
    permissions: Vec<String>,
    /// Expiry: a time such as 2027-01-31, or 90d from now
    #[arg(long, value_name = "TIME", value_parser = when)]
    expires: Option<When>,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Output format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The key's id, as `key list` shows it
    id: String,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    // Signing needs no lake.
    if let Action::Signing(action) = &args.action {
        return signing::run(app, action).map(|()| 0);
    }
    let lake = app.open_lake()?;
    let ring = Keyring::new(&lake)?;
    match args.action {
        Action::Signing(_) => {}
        Action::Create(create) => make(app, lake, ring, create)?,
        Action::List(list) => {
            let records = ring.records()?;
            print(&app.screen, &table(&records, app.clock.now_ms())?, list.format, render::Options::default())?;
        }
        Action::Revoke(revoke) => {
            let (id, now_ms) = (revoke.id.clone(), app.clock.now_ms());
            let is_new = app.wait(async move { ring.revoke(&lake, &id, now_ms).await })?;
            app.screen.say(if is_new {
                format!("revoked {}", revoke.id)
            } else {
                format!("{} was already revoked", revoke.id)
            });
        }
    }
    Ok(0)
}

fn make(app: &App, lake: Lake, ring: Keyring, create: Create) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let new = NewKey {
        user: create.user,
        holder: if create.service_account { Holder::ServiceAccount } else { Holder::User },
        permissions: create.permissions,
        expires_ms: create.expires.map(|when| when.millis_ahead(now_ms)).transpose()?,
    };
    let (key, record) = app.wait(async move { ring.create(&lake, new, now_ms).await })?;
    app.screen.say(format!("{} for {} {}; it is shown only once:", record.id, record.holder.as_str(), record.user));
    if record.permissions.is_empty() {
        app.screen.say(format!(
            "warning: every request for the log with this key will be refused: add --permission {PERMISSION}"
        ));
    }
    if !record.is_live(now_ms) {
        app.screen.say("warning: the expiry is in the past");
    }
    app.screen.print(&format!("{key}\n"))
}

fn table(records: &[KeyRecord], now_ms: i64) -> Result<arrow::array::RecordBatch> {
    let text = |of: fn(&KeyRecord) -> String| Column::Text(records.iter().map(|record| Some(of(record))).collect());
    let time = |of: fn(&KeyRecord) -> Option<i64>| {
        Column::Time(records.iter().map(|record| of(record).map(|ms| ms.saturating_mul(1000))).collect())
    };
    let state = |record: &KeyRecord| match record.is_live(now_ms) {
        true => "live",
        false if record.revoked_ms.is_some() => "revoked",
        false => "expired",
    };
    batch(vec![
        ("id", text(|record| record.id.clone())),
        ("user", text(|record| record.user.clone())),
        ("holder", text(|record| record.holder.as_str().to_string())),
        ("permissions", text(|record| record.permissions.join(", "))),
        ("state", Column::Text(records.iter().map(|record| Some(state(record).to_string())).collect())),
        ("created", time(|record| Some(record.created_ms))),
        ("expires", time(|record| record.expires_ms)),
        ("revoked", time(|record| record.revoked_ms)),
    ])
}
