//! ^C and SIGTERM: what a command does at the first one, and how the process ends at the next.
//!
//! ```text
//! signal -> a thread of its own -> the answer of the command at hand: finish what is begun
//!                               -> no answer, or asked already: remove what is unfinished, end the process
//! ```
//!
//! The thread waits for nothing but signals, so it hears them whatever the others are busy with. A signal within a
//! second after one that counted is the same one: `timeout` and terminals signal both a process and its group.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use super::screen::Screen;
use crate::disk::Unfinished;
use crate::error::{Context, Kind, Result};

/// The exit code that a shell reports for a process that SIGTERM ended.
const TERMINATED: u8 = 143;
/// Signals within this time count as one.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

/// The answer of a command to the first signal, given the exit code of the signal: whether the command continues, to
/// finish something. If not, the process ends at once.
type Answer = Box<dyn FnMut(u8) -> bool + Send>;

/// The signals of the process.
#[derive(Clone)]
pub struct Signals(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answer: Option<(Answer, Which)>,
    /// Whether the command answered that it continues.
    is_asked: bool,
    last: Option<Instant>,
}

/// The signals that an answer is for; all others end the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    First,
    /// Each signal counts, even several within a second.
    All,
}

impl Signals {
    /// Listens from here on until the process ends.
    pub fn listen(unfinished: Unfinished) -> Result<Signals> {
        let cannot = || "cannot listen for signals";
        let signals = Signals(Arc::default());
        let runtime = Builder::new_current_thread().enable_all().build().context(Kind::Unavailable, cannot)?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context(Kind::Unavailable, cannot);
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
        };
        let heard = signals.clone();
        let watch = move || {
            runtime.block_on(async {
                loop {
                    let code = tokio::select! {
                        _ = interrupt.recv() => Kind::Cancelled.exit_code(),
                        _ = terminate.recv() => TERMINATED,
                    };
                    if heard.ends(code, Instant::now()) {
                        unfinished.remove();
                        std::process::exit(code.into());
                    }
                }
            });
        };
        std::thread::Builder::new().name("signals".to_string()).spawn(watch).context(Kind::Unavailable, cannot)?;
        Ok(signals)
    }

    /// Returns whether a signal ends the process.
    fn ends(&self, code: u8, now: Instant) -> bool {
        let mut state = self.state();
        if let Some((answer, Which::All)) = state.answer.as_mut() {
            return !answer(code);
        }
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < ONE_SIGNAL) {
            return false;
        }
        state.last = Some(now);
        if state.is_asked {
            return true;
        }
        state.is_asked = state.answer.as_mut().is_some_and(|(answer, _)| answer(code));
        !state.is_asked
    }

    /// Passes signals to `answer` while the returned value exists.
    pub fn answer(&self, which: Which, answer: impl FnMut(u8) -> bool + Send + 'static) -> Answering {
        let mut state = self.state();
        state.is_asked = false;
        Answering { signals: self.clone(), before: state.answer.replace((Box::new(answer), which)) }
    }

    /// Prints `text` at the first signal and asks the command to stop, while the returned value exists.
    pub fn stop(&self, screen: Screen, text: &'static str) -> Stopping {
        let (flag, code) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU8::new(Kind::Cancelled.exit_code())));
        let (tell, told) = watch::channel(false);
        let (set, coded) = (flag.clone(), code.clone());
        let answering = self.answer(Which::First, move |signal| {
            coded.store(signal, Ordering::Relaxed);
            set.store(true, Ordering::Relaxed);
            screen.say(text);
            // Nobody waits for it where only the flag is read.
            let _ = tell.send(true);
            true
        });
        Stopping { flag, told, code, _answering: answering }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that answers signals; when this is dropped, the one before answers again.
pub struct Answering {
    signals: Signals,
    before: Option<(Answer, Which)>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.signals.state();
        state.answer = self.before.take();
        state.is_asked = false;
    }
}

/// A command that stops when it is asked to.
pub struct Stopping {
    /// Set by the first signal.
    pub flag: Arc<AtomicBool>,
    /// Becomes true with the flag.
    pub told: watch::Receiver<bool>,
    code: Arc<AtomicU8>,
    _answering: Answering,
}

impl Stopping {
    /// Returns the exit code of a run that was stopped.
    pub fn exit_code(&self) -> u8 {
        self.code.load(Ordering::Relaxed)
    }
}

/// ^C as an event to wait for, even one that came while nobody waited: between two batches of a query, for instance.
pub struct Interrupts {
    heard: RefCell<UnboundedReceiver<()>>,
    _answering: Answering,
}

impl Interrupts {
    /// Receives ^C from here on: each of them, or the first, and the next ends the process. SIGTERM ends it at once.
    pub fn of(signals: &Signals, which: Which) -> Interrupts {
        let (tell, heard) = unbounded_channel();
        let is_interrupt = move |code| code == Kind::Cancelled.exit_code() && tell.send(()).is_ok();
        Interrupts { heard: RefCell::new(heard), _answering: signals.answer(which, is_interrupt) }
    }

    // One future at a time waits, on one thread: nobody else asks for it meanwhile.
    #[allow(clippy::await_holding_refcell_ref)]
    pub async fn next(&self) {
        if self.heard.borrow_mut().recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    pub fn forget(&self) {
        while self.heard.borrow_mut().try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const INTERRUPTED: u8 = 130;

    #[test]
    fn a_signal_that_comes_twice_is_one_and_a_second_one_ends_the_process() {
        let signals = Signals(Arc::default());
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let stopping = signals.stop(Screen { is_quiet: true }, "stopping");
        assert!(!signals.ends(TERMINATED, after(0)));
        assert!(stopping.flag.load(Ordering::Relaxed) && *stopping.told.borrow());
        assert_eq!(stopping.exit_code(), TERMINATED);
        // To the process, and to its group.
        assert!(!signals.ends(TERMINATED, after(5)));
        assert!(!signals.ends(INTERRUPTED, after(999)));
        assert!(signals.ends(INTERRUPTED, after(1000)));
    }

    #[test]
    fn an_interrupt_waits_for_those_who_ask_for_it() {
        let signals = Signals(Arc::default());
        let interrupts = Interrupts::of(&signals, Which::All);
        let begin = Instant::now();
        assert!(!signals.ends(INTERRUPTED, begin) && !signals.ends(INTERRUPTED, begin));
        interrupts.next().now_or_never().unwrap();
        interrupts.forget();
        assert!(interrupts.next().now_or_never().is_none());
        assert!(signals.ends(TERMINATED, begin));
    }

    #[test]
    fn without_an_answer_the_first_signal_ends_the_process() {
        let signals = Signals(Arc::default());
        let begin = Instant::now();
        assert!(signals.ends(INTERRUPTED, begin));
        let outer = signals.stop(Screen { is_quiet: true }, "stopping");
        let inner = signals.answer(Which::All, |code| code == INTERRUPTED);
        assert!(signals.ends(TERMINATED, begin + Duration::from_secs(2)), "the answer was no");
        assert!(!signals.ends(INTERRUPTED, begin + Duration::from_millis(2100)), "each counts here");
        assert!(!outer.flag.load(Ordering::Relaxed));
        drop(inner);
        assert!(!signals.ends(TERMINATED, begin + Duration::from_secs(5)));
        assert!(outer.flag.load(Ordering::Relaxed), "the outer one has it again");
        drop(outer);
        assert!(signals.ends(TERMINATED, begin + Duration::from_secs(7)));
    }
}
