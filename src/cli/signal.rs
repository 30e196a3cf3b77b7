//! ^C and SIGTERM: the first one asks to finish what is begun, the second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::task::JoinHandle;

use super::App;
use crate::error::Kind;

/// As a shell tells of a process that SIGTERM ended.
const TERMINATED: u8 = 143;

/// Watches for signals until it is dropped.
pub struct Signals {
    /// Set by the first signal.
    pub stop: Arc<AtomicBool>,
    code: Arc<AtomicU8>,
    watch: JoinHandle<()>,
}

impl Signals {
    /// `text` is said at the first signal.
    pub fn watch(app: &App, text: &'static str) -> Signals {
        let (stop, code) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU8::new(Kind::Cancelled.exit_code())));
        let (screen, stopped, told) = (app.screen, stop.clone(), code.clone());
        let _runtime = app.runtime.enter();
        let mut listener = Listener::new();
        let watch = app.runtime.spawn(async move {
            while let Some(signal) = next(&mut listener).await {
                told.store(signal, Ordering::Relaxed);
                if stopped.swap(true, Ordering::Relaxed) {
                    std::process::exit(signal.into());
                }
                screen.say(text);
            }
        });
        Signals { stop, code, watch }
    }

    /// The exit code of a run that was stopped.
    pub fn exit_code(&self) -> u8 {
        self.code.load(Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// A system without signals has none to wait for.
async fn next(listener: &mut Option<Listener>) -> Option<u8> {
    listener.as_mut()?.next().await
}

/// Both signals, from the moment when it is made: none is missed between two waits.
#[cfg(unix)]
struct Listener {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Listener {
    fn new() -> Option<Listener> {
        use tokio::signal::unix::{SignalKind, signal};
        Some(Listener {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    /// Waits for a signal; the exit code that it stands for.
    async fn next(&mut self) -> Option<u8> {
        tokio::select! {
            interrupted = self.interrupt.recv() => interrupted.map(|()| Kind::Cancelled.exit_code()),
            terminated = self.terminate.recv() => terminated.map(|()| TERMINATED),
        }
    }
}

#[cfg(not(unix))]
struct Listener;

#[cfg(not(unix))]
impl Listener {
    fn new() -> Option<Listener> {
        Some(Listener)
    }

    async fn next(&mut self) -> Option<u8> {
        tokio::signal::ctrl_c().await.ok().map(|()| Kind::Cancelled.exit_code())
    }
}
