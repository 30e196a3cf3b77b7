//! `auditlake pull`: the audit-log API.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::App;
use super::super::keeping::compact;
use super::super::terminal::screen::Screen;
use super::super::terminal::secret::secret;
use super::super::terminal::value::{check_period, duration, when};
use super::progress::Share;
use super::tally;
use crate::config::ApiSource;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{
    Event, Origin, PullOptions, PullProgress, PullRun, PullSource, PullSummary, Scope, SourcePull, Stop, pull,
};
use crate::source::{Budget, Client, Recording};
use crate::typed::{When, count, nearest, span};

/// Waits of at least this length are reported.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sources of the configuration [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only events at or after this time, such as 2026-01-31, or 7d for seven days ago
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Re-read this much before the covered end, to catch late entries: 30d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deep: Option<Duration>,
    /// Keep polling at this interval: 60s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    watch: Option<Duration>,
    /// Record the pages, redacted, in this directory
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Replay pages from a recorded directory, without network and key
    #[arg(long, value_name = "DIR", conflicts_with_all = ["since", "until", "deep", "watch", "record"])]
    replay: Option<PathBuf>,
    /// Also write the summary as JSON to this file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    summary_json: Option<PathBuf>,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let now_ms = app.clock.now_ms();
    let at = |when: Option<When>| when.map(|when| when.millis(now_ms)).transpose();
    let (since_ms, until_ms) = (at(args.since)?, at(args.until)?);
    check_period(since_ms, until_ms)?;
    disk::keep_out_of_core_files();
    let options = PullOptions { jitter_seed: random(), ..app.config.pull() };
    // Keys come first: without one nothing is created.
    let asked = match &args.replay {
        Some(folder) => Asked::Replay(recordings(folder, &args.names)?),
        None => Asked::Servers(servers(app, &args.names)?),
    };
    let lake = app.open_or_create_lake()?;
    let (policy, redaction_version) = app.policy(&lake)?;
    let sources = match asked {
        Asked::Replay(sources) => sources,
        Asked::Servers(servers) => {
            let folder = lake.pull_folder()?;
            let connect = |server| connect(&options, &folder, &args, now_ms, server);
            servers.into_iter().map(connect).collect::<Result<_>>()?
        }
    };
    let text = "stopping after this page; ^C again stops at once. Run the same command to continue.";
    let stopping = app.signals.stop(app.screen, text);
    let show = Show::new(app.screen);
    let tell = show.clone();
    let compact = compact::meanwhile(app);
    let run = PullRun {
        lake,
        policy,
        redaction_version,
        clock: app.clock,
        options,
        scope: Scope { since_ms, until_ms, deep_ms: args.deep.map(|deep| deep.as_millis() as i64) },
        watch: args.watch,
        stop: Stop::new(stopping.flag.clone()),
        tell: Arc::new(move |event| {
            tell.show(event);
            if matches!(event, Event::Round { .. }) {
                compact();
            }
        }),
    };
    let pulled = app.wait(async move { Ok(pull(run, sources).await) });
    show.bar.end();
    let (summary, error) = pulled?;
    if !summary.sources.is_empty() {
        say(&app.screen, &summary);
    }
    if !summary.is_interrupted && error.is_none() {
        compact::automatically(app);
    }
    if let Some(path) = args.summary_json {
        let text = serde_json::to_string(&summary).context(Kind::Internal, || "cannot encode the summary")? + "\n";
        app.write_json(&path, &text)?;
    }
    if error.is_none() && !summary.is_interrupted {
        app.make_facts(summary.counts.accepted);
    }
    match error {
        Some(error) => Err(error),
        None if summary.is_interrupted => Ok(stopping.exit_code()),
        None => Ok(0),
    }
}

enum Asked {
    Servers(Vec<(ApiSource, Client)>),
    Replay(Vec<PullSource>),
}

/// Returns the selected sources, each with a client that has its key.
fn servers(app: &App, names: &[String]) -> Result<Vec<(ApiSource, Client)>> {
    let mut sources = app.config.sources()?;
    if sources.is_empty() {
        return Err(Error::usage("the configuration names no source to pull").hint(
            "write into auditlake.toml: [[source]] name = \"prod\", base_url = \"https://api.elevenlabs.io\", \
             key = { env = \"ELEVENLABS_API_KEY\" }",
        ));
    }
    let known: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    if let Some(wrong) = names.iter().find(|name| !known.contains(name)) {
        let error = Error::usage(format!("the configuration names no source `{wrong}`"));
        return Err(match nearest(wrong, known.iter().map(String::as_str)) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!("it has {}", known.join(", "))),
        });
    }
    sources.retain(|source| names.is_empty() || names.contains(&source.name));
    let (limits, clock) = (app.config.limits(), app.clock);
    sources
        .into_iter()
        .map(|source| {
            let key = secret(&source.key, "the API key", &app.command_environment())?;
            let client = Client::new(source.endpoint.clone(), key, limits.clone(), clock)?;
            Ok((source, client))
        })
        .collect()
}

fn connect(
    options: &PullOptions,
    folder: &Path,
    args: &Args,
    now_ms: i64,
    (source, client): (ApiSource, Client),
) -> Result<PullSource> {
    let since_ms = source.since.map(|since| since.millis(now_ms)).transpose()?;
    let place = folder.join(format!("{}.budget", source.user));
    let budget = Budget::new(place, source.requests_per_minute, options.max_wait * 2);
    let origin = Origin::Server { client: Box::new(client), budget };
    Ok(PullSource { name: source.name, origin, since_ms, record: args.record.clone() })
}

/// Returns the selected recorded sources.
fn recordings(folder: &Path, names: &[String]) -> Result<Vec<PullSource>> {
    let cannot = || format!("cannot replay {}", folder.display());
    let mut names = names.to_vec();
    if names.is_empty() {
        for entry in std::fs::read_dir(folder).context(Kind::Usage, cannot)? {
            let entry = entry.context(Kind::Unavailable, cannot)?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
    }
    if names.is_empty() {
        return Err(Error::usage(format!("{}: no recording is there", cannot())));
    }
    let open = |name: String| {
        let origin = Origin::Recording(Recording::open(folder, &name)?);
        Ok(PullSource { name, origin, since_ms: None, record: None })
    };
    names.into_iter().map(open).collect()
}

/// Shows the events of a run.
#[derive(Clone)]
struct Show {
    screen: Screen,
    bar: Arc<Share>,
    began: Arc<Mutex<Option<(Instant, f64)>>>,
}

impl Show {
    fn new(screen: Screen) -> Show {
        Show { screen, bar: Arc::new(Share::start(&screen)), began: Arc::default() }
    }

    fn show(&self, event: &Event<'_>) {
        match event {
            Event::Page { source, progress } => {
                let (done, text) = self.progress(source, progress);
                self.bar.tell(done, &text);
            }
            Event::Waiting { source, wait, why } if *wait >= WORTH_A_LINE => {
                self.bar.say(&self.screen, format!("{source}: {why}; waiting {} s", wait.as_secs()));
            }
            Event::Waiting { .. } => {}
            Event::Note { source: "", text } => self.bar.say(&self.screen, text),
            Event::Note { source, text } => self.bar.say(&self.screen, format!("{source}: {text}")),
            Event::Round { source, summary } => {
                let until = summary.covered_until.as_deref().unwrap_or("nothing");
                let accepted = count(summary.counts.accepted);
                self.bar.tell(1.0, &format!("{source}: {accepted} new so far, covered until {until}"));
            }
        }
    }

    /// Returns the share that is done, and in words entries, pages, rate and time left. Both count from the time of the
    /// first entries: before that, half a century may be empty.
    fn progress(&self, source: &str, progress: &PullProgress) -> (f64, String) {
        let PullProgress { pages, received, done, .. } = progress;
        if *received == 0 {
            return (0.0, format!("{source}: looking for the first entries, {pages} pages"));
        }
        let mut began = self.began.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (since, before) = *began.get_or_insert((Instant::now(), *done));
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        let share = if before < 1.0 { (done - before) / (1.0 - before) } else { 1.0 };
        let left = if share > 0.0 {
            let left = (seconds * (1.0 - share) / share).clamp(0.0, 1e9);
            format!(", about {} left", span(Duration::from_secs_f64(left)))
        } else {
            String::new()
        };
        let rate = *received as f64 / seconds;
        (share, format!("{source}: {} entries, {} pages, {rate:.0}/s{left}", count(*received), count(*pages)))
    }
}

/// Prints what a run did.
fn say(screen: &Screen, summary: &PullSummary) {
    for source in &summary.sources {
        let SourcePull { name, state, .. } = source;
        let until = source.covered_until.as_deref().map_or(String::new(), |until| format!(", covered until {until}"));
        let state = if state == "complete" { String::new() } else { format!(" {state},") };
        let (pages, requests) = (count(source.pages), count(source.requests));
        screen.say(format!("{name}:{state} {pages} pages in {requests} requests{until}"));
        if source.late > 0 {
            screen.say(format!("{name}: {} entries arrived late", count(source.late)));
        }
        if source.outside > 0 {
            let outside = count(source.outside);
            screen.say(format!("warning: {name}: {outside} entries are outside the requested window; they are kept"));
        }
    }
    tally::notes(screen, &summary.counts, &summary.notes);
    screen.say(tally::identity(&summary.counts));
}

/// Returns a number that differs between processes; nothing else matters about it.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => u64::from(std::process::id()),
    }
}
