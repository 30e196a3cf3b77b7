//! Connections: where they come in, with TLS or without, how slow they may be, and how they end.

use std::convert::Infallible;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{DEFAULT_VERSIONS, ServerConfig};

use super::Options;
use super::answer::{Door, Server};
use super::places::{Place, Places};
use super::stall::Impatient;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};

/// The most that hyper takes of a request's head; it answers 431 beyond that.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// The pause after an error of the system, such as no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Limits on connections.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections: usize,
    /// The connections of one address; 0 means no limit.
    pub connections_of_one: usize,
    /// The time for the first byte of a connection.
    pub first_time: Duration,
    /// The time for a handshake, for a request's head, and for a connection that is idle.
    pub head_time: Duration,
    /// The time for a client to read a response.
    pub write_time: Duration,
    /// The time for running requests when the server stops.
    pub stop_time: Duration,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Opens the address. Without TLS only this machine may reach it, unless the options allow more.
pub async fn bind(address: &str, has_tls: bool, is_insecure_allowed: bool) -> Result<TcpListener> {
    let cannot = || format!("cannot listen on {address}");
    let found: Vec<SocketAddr> = match tokio::net::lookup_host(address).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let error = Error::usage(cannot()).caused_by(error);
            return Err(error.hint("write an address and a port, such as 127.0.0.1:8080"));
        }
    };
    if !has_tls && !is_insecure_allowed && !found.iter().all(|address| address.ip().is_loopback()) {
        return Err(in_clear(address));
    }
    match TcpListener::bind(found.as_slice()).await {
        Ok(listener) => Ok(listener),
        Err(error) => Err(Error::new(Kind::Unavailable, cannot()).caused_by(error)),
    }
}

fn in_clear(address: &str) -> Error {
    Error::usage(format!("cannot listen on {address}: keys and log entries would be sent in clear"))
        .hint("use --tls-cert and --tls-key, or allow plain HTTP with --insecure-listen")
}

/// Returns the faults of options that a server would find when it starts. It opens no port, and looks up no name.
pub fn faults(options: &Options) -> Vec<Error> {
    let mut faults = Vec::new();
    let is_in_clear = options.tls.is_none() && !options.is_insecure_allowed;
    let addresses = [(Some(&options.listen), is_in_clear), (options.metrics_listen.as_ref(), false)];
    for (address, is_in_clear) in addresses.into_iter().filter_map(|(address, clear)| Some((address?, clear))) {
        let port = address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse::<u16>().ok());
        match address.parse::<SocketAddr>() {
            Ok(known) if is_in_clear && !known.ip().is_loopback() => faults.push(in_clear(address)),
            Err(_) if port.is_none() => faults.push(
                Error::usage(format!("cannot listen on {address}"))
                    .hint("write an address and a port, such as 127.0.0.1:8080"),
            ),
            _ => {}
        }
    }
    if let Some(tls) = &options.tls {
        // A flag may name the other one.
        match [&tls.certificate, &tls.key].into_iter().filter(|place| !place.as_os_str().is_empty()).collect::<Vec<_>>()
            [..]
        {
            [one] => faults.extend(File::open(one).context(Kind::Usage, || cannot_read(one)).err()),
            _ => faults.extend(acceptor(tls).err()),
        }
    }
    if options.connections == 0 {
        faults.push(
            Error::usage("a server without connections answers nobody").hint("set `max_connections` to 1 or more"),
        );
    }
    faults
}

/// Reads certificate and key.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .context(Kind::Usage, || cannot_read(&tls.certificate))?;
    if certificates.is_empty() {
        return Err(Error::usage(format!("{}: it holds no certificate", cannot_read(&tls.certificate))));
    }
    let key = disk::open_secret(&tls.key, "the certificate's key")?;
    let key = PrivateKeyDer::from_pem_reader(key).context(Kind::Usage, || cannot_read(&tls.key))?;
    let cannot = || format!("cannot use the certificate in {}", tls.certificate.display());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .context(Kind::Internal, cannot)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context(Kind::Usage, cannot)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn cannot_read(place: &Path) -> String {
    format!("cannot read {} as PEM", place.display())
}

/// Accepts until `stop` says so; returns when running requests have ended, or their time is over.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    (server, door): (Arc<Server>, Door),
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Places::new(limits.connections, limits.connections_of_one);
    let mut running = JoinSet::new();
    loop {
        let accepted = async {
            let (stream, peer) = listener.accept().await?;
            // While all connections answer requests, the next ones wait in the system's queue.
            Ok::<_, std::io::Error>((places.take(peer.ip()).await, stream, peer))
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accepted => accepted,
        };
        while running.try_join_next().is_some() {}
        match accepted {
            Ok((Some(place), stream, peer)) => {
                let (server, limits, stop, tls) = (server.clone(), limits.clone(), stop.clone(), tls.clone());
                let one = Connection { server, door, limits, stop, peer, place: Arc::new(place) };
                running.spawn(one.run(stream, tls));
            }
            // Its address already has its share.
            Ok((None, _, _)) => {
                server.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.stop_time, ended).await.is_err() {
        tracing::warn!("connections were cut: their clients did not take their responses in time");
    }
}

struct Connection {
    server: Arc<Server>,
    door: Door,
    place: Arc<Place>,
    limits: Limits,
    stop: watch::Receiver<bool>,
    peer: SocketAddr,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let server = self.server.clone();
        server.metrics.connections.fetch_add(1, Ordering::Relaxed);
        server.metrics.open.fetch_add(1, Ordering::Relaxed);
        // A page is written at once; waiting to fill a packet only adds to its last one.
        let _ = stream.set_nodelay(true);
        let place = self.place.clone();
        let is_fine = tokio::select! {
            is_fine = self.handle(stream, tls) => is_fine,
            // Another connection has the place now.
            () = place.is_lost() => false,
        };
        server.metrics.open.fetch_sub(1, Ordering::Relaxed);
        if !is_fine {
            server.metrics.broken.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn handle(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) -> bool {
        // A client that has something to say says it at once.
        let mut first = [0];
        let first = tokio::time::timeout(self.limits.first_time, stream.peek(&mut first));
        let first = tokio::select! {
            first = first => first,
            _ = self.stop.wait_for(|stop| *stop) => return true,
        };
        if !matches!(first, Ok(Ok(1))) {
            return false;
        }
        match tls {
            None => self.talk(stream).await,
            Some(tls) => match tokio::time::timeout(self.limits.head_time, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream).await,
                _ => false,
            },
        }
    }

    async fn talk(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> bool {
        let io = TokioIo::new(Impatient::new(stream, self.limits.write_time));
        let (server, door, peer, place) = (self.server.clone(), self.door, self.peer, self.place.clone());
        let service = service_fn(move |request| {
            let (server, place) = (server.clone(), place.clone());
            async move {
                place.answers();
                let answer = server.answer(door, peer, request).await;
                place.waits();
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let stopped = tokio::select! {
            done = connection.as_mut() => Some(done),
            _ = self.stop.wait_for(|stop| *stop) => None,
        };
        let done = match stopped {
            Some(done) => done,
            None => {
                // The running response ends, and then the connection.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        done.is_ok()
    }
}
