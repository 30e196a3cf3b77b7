//! An audit-log server for tests: well-behaved, or as hostile as a script wants it.
//!
//! It speaks HTTP over a bare socket, so that it can break HTTP. Entries are given in some total order, newest first
//! unless the test says otherwise, and a cursor is a position in that order followed by a number that never comes
//! twice.

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The key that the client must send, and must not show.
pub const KEY: &str = "k9-PeTrIcHoR-0badc0de";
/// A base path, since clients must keep one.
pub const PREFIX: &str = "/base";

/// Seconds after which the client gives up on an answer, and a few more.
const PATIENCE: usize = 250;

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    pub id: String,
    pub time_ms: i64,
    pub json: String,
    /// The time by the server's clock before which it is not in any page.
    pub visible_ms: i64,
}

/// The order in which entries come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
    /// Sorted by a hash of the id.
    Scattered,
}

/// Actions of a server instead of an answer, or with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A status, with headers and a body.
    Status(u16, String, String),
    /// The connection is reset before an answer.
    Reset,
    /// The answer comes one byte per second.
    Slow,
    /// The body is shorter than its length says.
    CutBody,
    CutGzip,
    Html,
    NotAPage(&'static str),
    BigHeader,
    /// The answer redirects to another host.
    Redirect,
    /// The page before comes again, with a cursor that leads on.
    Again,
    /// The entries of a page are shuffled.
    Shuffled,
    /// A page that begins before its cursor.
    Overlapping,
    /// The page has no entries, and more to come.
    EmptyPage,
    /// From here on every page has the same cursor, until [`Server::mend`].
    SameCursor,
    /// The page has more to come, and no cursor.
    NoCursor,
    /// The cursor is no longer known.
    CursorExpired,
    /// The answer is good, in another encoding.
    Gzip,
    Chunked,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub at_ms: i64,
    pub has_key: bool,
    pub query: String,
}

pub struct State {
    pub entries: Vec<Logged>,
    pub order: Order,
    /// The faults of the next requests; `None` is a good answer.
    pub script: VecDeque<Option<Fault>>,
    pub asked: Vec<Asked>,
    /// The lead of the test's clock over the server's, whose answers then have its date.
    pub ahead_ms: Option<i64>,
    /// A channel that is told when the request with this number, from 1, has come; its answer then waits for
    /// [`Server::answer`].
    pub hold: Option<(usize, mpsc::Sender<()>)>,
    /// The same as [`State::hold`], but the answer is sent first.
    pub after: Option<(usize, mpsc::Sender<()>)>,
    is_stuck: bool,
    nonce: u64,
    last_page: Vec<usize>,
}

/// A server on loopback; it ends with its runtime.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    state: Mutex<State>,
    /// Milliseconds; `None` means the real time.
    clock: Option<&'static AtomicI64>,
    other: SocketAddr,
    /// Bytes that came to the second host.
    strays: Mutex<Vec<u8>>,
    answers: tokio::sync::Semaphore,
}

impl Server {
    pub fn start(entries: Vec<Logged>, clock: Option<&'static AtomicI64>) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (listener, second) = runtime.block_on(async {
            let any = || TcpListener::bind("127.0.0.1:0");
            (any().await.unwrap(), any().await.unwrap())
        });
        let (address, other) = (listener.local_addr().unwrap(), second.local_addr().unwrap());
        let state = State {
            entries,
            order: Order::NewestFirst,
            script: VecDeque::new(),
            asked: Vec::new(),
            ahead_ms: None,
            hold: None,
            after: None,
            is_stuck: false,
            nonce: 0,
            last_page: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            clock,
            other,
            strays: Mutex::default(),
            answers: tokio::sync::Semaphore::new(0),
        });
        let accept = shared.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(accept.clone(), stream));
            }
        });
        let accept = shared.clone();
        runtime.spawn(async move {
            while let Ok((mut stream, _)) = second.accept().await {
                accept.strays.lock().unwrap().extend(b"connected ");
                let mut bytes = vec![0; 4096];
                let count = stream.read(&mut bytes).await.unwrap_or(0);
                accept.strays.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Server { address, shared, _runtime: runtime }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}{PREFIX}/", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Returns the bytes that came to the other host.
    pub fn strays(&self) -> String {
        String::from_utf8_lossy(&self.shared.strays.lock().unwrap()).into_owned()
    }

    /// Releases held answers.
    pub fn answer(&self) {
        self.shared.answers.add_permits(1);
    }

    /// Ends a lasting fault.
    pub fn mend(&self) {
        self.state().is_stuck = false;
    }
}

/// An answer as it goes over the wire.
struct Answer {
    bytes: Vec<u8>,
    /// Whether bytes are sent one by one, each a second after the other by the shared clock.
    is_slow: bool,
}

async fn serve(shared: Arc<Shared>, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_head(&mut stream, &mut buffer).await else { return };
        let (number, answer) = {
            let mut state = shared.state.lock().unwrap();
            (state.asked.len() + 1, state.answer(&shared, &head))
        };
        let hold = shared.state.lock().unwrap().hold.take_if(|(held, _)| *held == number);
        if let Some((_, told)) = hold {
            let _ = told.send(());
            let Ok(permit) = shared.answers.acquire().await else { return };
            permit.forget();
        }
        let Some(answer) = answer else {
            #[allow(deprecated, reason = "it blocks on close when the time is not zero; it is")]
            let _ = stream.set_linger(Some(std::time::Duration::ZERO));
            return;
        };
        if send(&shared, &mut stream, &answer).await.is_err() {
            return;
        }
        let after = shared.state.lock().unwrap().after.take_if(|(held, _)| *held == number);
        if let Some((_, told)) = after {
            let _ = told.send(());
        }
        if answer.is_slow || !answer.bytes.starts_with(b"HTTP/1.1 200 OK\r\nconnection: keep") {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn send(shared: &Shared, stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    if !answer.is_slow {
        stream.write_all(&answer.bytes).await?;
        return stream.flush().await;
    }
    for (sent, byte) in answer.bytes.iter().enumerate() {
        stream.write_all(&[*byte]).await?;
        // The client may read later than we write: no more time passes than its patience.
        if let Some(clock) = shared.clock.filter(|_| sent < PATIENCE) {
            clock.fetch_add(1000, Ordering::SeqCst);
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Reads up to the empty line; keeps the bytes after it.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            return Some(head);
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&bytes[..count]),
        }
    }
}

impl State {
    /// Returns the answer to a request; `None` resets the connection.
    fn answer(&mut self, shared: &Shared, head: &str) -> Option<Answer> {
        let at_ms = match shared.clock {
            Some(clock) => clock.load(Ordering::SeqCst),
            None => std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64,
        };
        let target = head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let has_key = head.lines().any(|line| line.eq_ignore_ascii_case(&format!("xi-api-key: {KEY}")));
        self.asked.push(Asked { at_ms, has_key, query: query.to_string() });
        let plain = |bytes: Vec<u8>| Some(Answer { bytes, is_slow: false });
        if path != format!("{PREFIX}/v1/workspace/audit-logs") {
            return plain(response("404 Not Found", "", b"{\"detail\":{\"message\":\"no such path\"}}"));
        }
        if !has_key {
            let body = br#"{"detail":{"type":"authentication_error","code":"invalid_api_key","message":"no"}}"#;
            return plain(response("401 Unauthorized", "", body));
        }
        let parameter = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<i64>().ok());
        let limit = number("limit").unwrap_or(50) as usize;
        let fault = self.script.pop_front().flatten();
        match &fault {
            Some(Fault::Status(status, headers, body)) => {
                return plain(response(&format!("{status} Trouble"), headers, body.as_bytes()));
            }
            Some(Fault::Reset) => return None,
            Some(Fault::Html) => {
                return plain(response("200 OK", "content-type: text/html\r\n", b"<html>Sign in</html>"));
            }
            Some(Fault::NotAPage(text)) => return plain(response("200 OK", "", text.as_bytes())),
            Some(Fault::BigHeader) => {
                return plain(response("200 OK", &format!("x-big: {}\r\n", "a".repeat(10 << 20)), b"{}"));
            }
            Some(Fault::Redirect) => {
                let header = format!("location: http://{}{target}\r\n", shared.other);
                return plain(response("307 Temporary Redirect", &header, b""));
            }
            Some(Fault::SameCursor) => self.is_stuck = true,
            _ => {}
        }
        let cursor = parameter("cursor");
        if cursor.is_some() && fault == Some(Fault::CursorExpired) {
            let body = br#"{"detail":{"type":"validation_error","code":"invalid_cursor","message":"expired"}}"#;
            return plain(response("400 Bad Request", "", body));
        }
        let window = (number("time_from_unix_ms").unwrap_or(i64::MIN), number("time_to_unix_ms").unwrap_or(i64::MAX));
        let here_ms = at_ms - self.ahead_ms.unwrap_or(0);
        let body = self.page(here_ms, window, limit, cursor.as_deref(), fault.as_ref());
        let date = self.ahead_ms.and_then(|_| chrono::DateTime::from_timestamp_millis(here_ms));
        let date = date.map(|date| date.format("date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string());
        let keep = &format!("connection: keep-alive\r\n{}", date.unwrap_or_default());
        match fault {
            Some(Fault::Slow) => {
                // Longer than any patience.
                let body = format!("{body}{}", " ".repeat(400));
                Some(Answer { bytes: response("200 OK", "", body.as_bytes()), is_slow: true })
            }
            Some(Fault::CutBody) => {
                let whole = response("200 OK", "", body.as_bytes());
                plain(whole[..whole.len() - body.len() / 2 - 1].to_vec())
            }
            Some(Fault::CutGzip) => {
                let packed = gzip(body.as_bytes());
                plain(response("200 OK", "content-encoding: gzip\r\n", &packed[..packed.len() - 7]))
            }
            Some(Fault::Gzip) => {
                plain(response("200 OK", &format!("{keep}content-encoding: gzip\r\n"), &gzip(body.as_bytes())))
            }
            Some(Fault::Chunked) => {
                let mut bytes = format!("HTTP/1.1 200 OK\r\n{keep}transfer-encoding: chunked\r\n\r\n").into_bytes();
                for chunk in body.as_bytes().chunks(700) {
                    write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                plain(bytes)
            }
            _ => plain(response("200 OK", keep, body.as_bytes())),
        }
    }

    fn page(
        &mut self,
        now_ms: i64,
        window: (i64, i64),
        limit: usize,
        cursor: Option<&str>,
        fault: Option<&Fault>,
    ) -> String {
        let is_in = |entry: &Logged| (window.0..=window.1).contains(&entry.time_ms) && entry.visible_ms <= now_ms;
        let mut all: Vec<usize> = (0..self.entries.len()).filter(|&i| is_in(&self.entries[i])).collect();
        all.sort_by_key(|&i| self.position(i));
        // A cursor is the position after which to continue.
        let behind = cursor.and_then(|text| text.split_once('|')).map(|(position, _)| position.to_string());
        let mut start = match &behind {
            Some(behind) => all.partition_point(|&i| self.position(i) <= *behind),
            None => 0,
        };
        if fault == Some(&Fault::Overlapping) {
            start = start.saturating_sub(3);
        }
        let (mut page, has_more) = match fault {
            Some(Fault::EmptyPage) => (Vec::new(), true),
            Some(Fault::Again) if cursor.is_some() => (self.last_page.clone(), true),
            _ => {
                let page: Vec<usize> = all.iter().skip(start).take(limit).copied().collect();
                let has_more = start + page.len() < all.len();
                (page, has_more)
            }
        };
        let position = match fault {
            Some(Fault::EmptyPage) => behind.unwrap_or_default(),
            Some(Fault::Again) if cursor.is_some() => behind.unwrap_or_default(),
            _ => page.last().map(|&i| self.position(i)).unwrap_or_default(),
        };
        self.last_page.clone_from(&page);
        if fault == Some(&Fault::Shuffled) {
            page.reverse();
            let third = page.len() / 3;
            page.rotate_left(third);
        }
        self.nonce += 1;
        let next = if self.is_stuck {
            "\"stuck|0\"".to_string()
        } else if fault == Some(&Fault::NoCursor) || !has_more {
            "null".to_string()
        } else {
            format!("\"{position}|{}\"", self.nonce)
        };
        let has_more = has_more || self.is_stuck || fault == Some(&Fault::NoCursor);
        let entries: Vec<&str> = page.iter().map(|&i| self.entries[i].json.as_str()).collect();
        format!("{{\"entries\":[{}],\"has_more\":{has_more},\"next_cursor\":{next}}}", entries.join(","))
    }

    /// Returns a sort key for the order; the empty one is before all.
    fn position(&self, index: usize) -> String {
        let Logged { id, time_ms, .. } = &self.entries[index];
        match self.order {
            Order::NewestFirst => format!("{:020}.{id}", i64::MAX - time_ms),
            Order::OldestFirst => format!("{time_ms:020}.{id}"),
            Order::Scattered => crate::soundness::sha256(id.as_bytes())[..20].to_string(),
        }
    }
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let type_header = if headers.contains("content-type") { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    let close = if headers.contains("connection: keep") { "" } else { "connection: close\r\n" };
    let head = format!("HTTP/1.1 {status}\r\n{headers}{close}{type_header}content-length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Makes an entry as the contract requires.
pub fn entry(id: &str, time_ms: i64) -> Logged {
    let (class, activity) = match time_ms.rem_euclid(3) {
        0 => (3002, 1),
        1 => (3004, 2),
        _ => (3001, 1),
    };
    let json = format!(
        r#"{{"id":"{id}","time":{time_ms},"class_uid":{class},"activity_id":{activity},"activity_name":"A","category_uid":3,"severity_id":1,"status_id":1,"message":"m {id}","actor":{{"user":{{"uid":"u{}"}}}},"metadata":{{}},"unmapped":{{"n":{}}}}}"#,
        time_ms % 7,
        time_ms % 1000
    );
    Logged { id: id.to_string(), time_ms, json, visible_ms: i64::MIN }
}
