//! Threads for statements, and a place to wait for them where ^C is heard.
//!
//! A query may keep every thread of its runtime busy, and with them that runtime's timers and signals: the shell waits
//! on a runtime of its own. A query that was given up may go on until it asks whether it should: its threads are left
//! behind, and the next statement gets others.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use super::super::threads;
use super::file::Unfinished;
use crate::error::{Context, Error, Kind, Result};
use crate::sql::{Horizon, Params, Rows, Session};

/// Time between two looks at how far a query is.
const TICK: Duration = Duration::from_millis(100);
/// Two ^C within this time end a batch run, whatever it does.
const TWICE: Duration = Duration::from_secs(1);

pub struct Engine {
    /// Made for the first statement, and again after one was given up.
    threads: Option<Runtime>,
    waiting: Runtime,
    interrupts: Interrupts,
}

impl Engine {
    /// From here on ^C does not end the process.
    pub fn new() -> Result<Engine> {
        let waiting = Builder::new_current_thread().enable_all().build();
        let waiting = waiting.context(Kind::Unavailable, || "cannot wait for anything")?;
        let interrupts = Interrupts::new(&waiting)?;
        Ok(Engine { threads: None, waiting, interrupts })
    }

    /// Plans a statement; ^C gives it up. Meanwhile `tick` is called again and again.
    pub fn plan(&mut self, session: &Arc<Session>, sql: &str, params: Params, tick: impl FnMut()) -> Result<Rows> {
        // A ^C that was meant for a pager or an editor.
        self.interrupts.forget();
        let runtime = match self.threads.take() {
            Some(runtime) => runtime,
            None => threads()?,
        };
        let (session, sql) = (session.clone(), sql.to_string());
        let task = runtime.spawn(async move { session.query(&sql, &params, Horizon::All).await });
        self.threads = Some(runtime);
        let planned =
            self.until(task, tick).and_then(|planned| planned.context(Kind::Internal, || "the planner stopped")?);
        planned.inspect_err(|error| self.leave_behind(error))
    }

    /// The next rows of a query; ^C gives it up.
    pub fn next(&self, rows: &mut Rows, tick: impl FnMut()) -> Result<Option<RecordBatch>> {
        self.until(rows.next(), tick)?
    }

    /// Waits; ^C ends the wait.
    pub fn pause(&self, time: Duration) -> Result<()> {
        // A timer belongs to the runtime on which it is made.
        self.until(async move { tokio::time::sleep(time).await }, || {})
    }

    /// Leaves the threads of a statement that was given up to themselves.
    pub fn leave_behind(&mut self, error: &Error) {
        if error.kind() == Kind::Cancelled
            && let Some(threads) = self.threads.take()
        {
            threads.shutdown_background();
        }
    }

    fn until<T>(&self, future: impl Future<Output = T>, mut tick: impl FnMut()) -> Result<T> {
        self.waiting.block_on(async {
            let (mut future, mut interrupted) = (pin!(future), pin!(self.interrupts.next()));
            loop {
                tokio::select! {
                    done = &mut future => return Ok(done),
                    () = &mut interrupted => return Err(cancelled()),
                    () = tokio::time::sleep(TICK) => tick(),
                }
            }
        })
    }
}

impl Drop for Engine {
    /// Whoever leaves does not wait for a statement whose rows nobody wants.
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// ^C, also one that came while nobody waited: between two batches of a query, say.
#[cfg(unix)]
struct Interrupts(RefCell<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Interrupts {
    fn new(waiting: &Runtime) -> Result<Interrupts> {
        let _guard = waiting.enter();
        let listening = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        listening.map(RefCell::new).map(Interrupts).context(Kind::Unavailable, || "cannot listen for ^C")
    }

    // One future at a time waits, on one thread: nobody else asks for the signal meanwhile.
    #[allow(clippy::await_holding_refcell_ref)]
    async fn next(&self) {
        if self.0.borrow_mut().recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    fn forget(&self) {
        while self.next().now_or_never().is_some() {}
    }
}

#[cfg(not(unix))]
struct Interrupts;

#[cfg(not(unix))]
impl Interrupts {
    fn new(_: &Runtime) -> Result<Interrupts> {
        Ok(Interrupts)
    }

    async fn next(&self) {
        // If signals cannot be had, ^C keeps its default effect.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn forget(&self) {}
}

pub fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "cancelled")
}

/// Lets a second ^C end the process at once: the first asks the statement to stop, which may take its time.
#[cfg(unix)]
pub fn quit_on_second_interrupt(unfinished: Unfinished) -> Result<()> {
    let cannot = || "cannot listen for ^C";
    let listening = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let listening = listening.context(Kind::Unavailable, cannot)?;
    // A thread of its own: the others may be busy, or wait for a program.
    let watch = move || {
        listening.block_on(async {
            let kind = tokio::signal::unix::SignalKind::interrupt();
            let Ok(mut interrupts) = tokio::signal::unix::signal(kind) else { return };
            let mut last: Option<Instant> = None;
            while interrupts.recv().await.is_some() {
                if last.is_some_and(|last| last.elapsed() < TWICE) {
                    unfinished.remove();
                    std::process::exit(Kind::Cancelled.exit_code().into());
                }
                last = Some(Instant::now());
            }
        });
    };
    std::thread::Builder::new().spawn(watch).map(|_| ()).context(Kind::Unavailable, cannot)
}

#[cfg(not(unix))]
pub fn quit_on_second_interrupt(_: Unfinished) -> Result<()> {
    Ok(())
}
