//! Threads for statements, and a place to wait for them where ^C is heard.
//!
//! A query may keep every thread of its runtime busy, and with them that runtime's timers and signals: the shell waits
//! on a runtime of its own. An abandoned query may continue until it checks whether it should: its threads are left
//! behind, and the next statement gets others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tokio::runtime::{Builder, Runtime};

use super::super::terminal::signal::Interrupts;
use super::super::threads;
use crate::error::{Context, Error, Kind, Result};
use crate::sql::{Horizon, Params, Rows, Session};

/// Time between two looks at the progress of a query.
const TICK: Duration = Duration::from_millis(100);

pub struct Engine {
    /// Created for the first statement, and again after one was abandoned.
    threads: Option<Runtime>,
    waiting: Runtime,
    interrupts: Interrupts,
}

impl Engine {
    /// Makes an engine whose running statement ^C abandons from here on.
    pub fn new(interrupts: Interrupts) -> Result<Engine> {
        let waiting = Builder::new_current_thread().enable_all().build();
        let waiting = waiting.context(Kind::Unavailable, || "cannot wait for anything")?;
        Ok(Engine { threads: None, waiting, interrupts })
    }

    /// Plans a statement, which ^C abandons. Meanwhile `tick` is called again and again.
    pub fn plan(&mut self, session: &Arc<Session>, sql: &str, params: Params, tick: impl FnMut()) -> Result<Rows> {
        // Forgets a ^C that was meant for a pager or an editor.
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

    /// Returns the next rows of a query, which ^C abandons.
    pub fn next(&self, rows: &mut Rows, tick: impl FnMut()) -> Result<Option<RecordBatch>> {
        self.until(rows.next(), tick)?
    }

    /// Waits; ^C ends the wait.
    pub fn pause(&self, time: Duration) -> Result<()> {
        // A timer belongs to the runtime on which it is made.
        self.until(async move { tokio::time::sleep(time).await }, || {})
    }

    /// Leaves the threads of an abandoned statement to themselves.
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
    /// Abandons the running statement: nobody wants its rows any more.
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

pub fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "cancelled")
}
