//! Tests of connections: misbehaving clients, and TLS.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;

#[test]
fn other_methods_are_refused_and_a_body_is_not_taken() {
    let env = Env::with_small();
    let key = reader(&env);
    let served = Served::start(&env, "");
    for path in [PATH, "/healthz", "/metrics", "/openapi.json"] {
        for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = served.send(method, path, &[("xi-api-key", &key)]);
            assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET"), "{method} {path}");
        }
    }
    for body in ["Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: t\r\nxi-api-key: {key}\r\n{body}");
        let answer = served.raw(request.as_bytes());
        assert_eq!(answer.code(), (413, "body_not_allowed".to_string()));
        assert_eq!(answer.headers["connection"], "close");
    }
    let request = format!("GET {PATH} HTTP/1.0\r\nxi-api-key: {key}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(served.raw(request.as_bytes()).status, 200);
    for host in ["", "Host: a\r\nHost: b\r\n"] {
        let request = format!("GET {PATH} HTTP/1.1\r\n{host}Connection: close\r\nxi-api-key: {key}\r\n\r\n");
        assert_eq!(served.raw(request.as_bytes()).code(), (400, "missing_host".to_string()), "{host}");
    }
}

#[test]
fn a_head_that_is_too_large_or_no_http_is_refused() {
    let env = Env::with_small();
    let key = reader(&env);
    let served = Served::start(&env, "");
    let large = "x".repeat(20_000);
    let answer = served.get(PATH, &[("xi-api-key", &key), ("x-large", &large)]);
    assert_eq!(answer.status, 431);
    let answer = served.get(&format!("{PATH}?x={}", "y".repeat(200_000)), &[("xi-api-key", &key)]);
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    let many: Vec<(String, String)> = (0..100).map(|n| (format!("x-{n}"), "y".to_string())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(served.get(PATH, &many).status, 431);
    assert_eq!(served.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").status, 400);
    assert_eq!(served.page(&key, "limit=1")["has_more"], true, "the others are served all the same");
}

#[test]
fn whoever_sends_a_byte_now_and_then_is_cut_off() {
    let env = Env::with_small();
    let key = reader(&env);
    let served = Served::start(&env, "header_timeout = \"1s\"\nmax_connections = 2");
    let mut slow = served.connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\nx-slow: ").unwrap();
    let mut idle = served.connect();
    // Both places are taken; the third client gets that of the one which has been silent longest.
    served.page(&key, "limit=1");
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(idle.read(&mut [0; 8]).unwrap_or(0), 0);
}

/// 256 of them from one address once stopped the server for everybody.
#[test]
fn sockets_that_say_nothing_stop_nobody() {
    let env = Env::with_small();
    let key = reader(&env);
    let served = Served::start(&env, "max_connections = 8\nmax_connections_per_address = 0\nheader_timeout = \"60s\"");
    let mut held = Vec::new();
    for number in 0..30 {
        let mut silent = served.connect();
        if number % 2 == 0 {
            silent.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
        }
        held.push(silent);
        if number % 10 == 9 {
            let begun = std::time::Instant::now();
            assert_eq!(served.get("/healthz", &[]).status, 200);
            assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        }
    }
    served.page(&key, "limit=1");
    // The first ones have lost their places; nobody waits for a byte that never comes.
    assert_eq!(held[1].read(&mut [0; 8]).unwrap_or(0), 0);
    assert_eq!(held[29].read(&mut [0; 8]).unwrap_or(0), 0);
}

#[test]
fn one_address_gets_its_share_and_is_told_how_often_it_was_turned_away() {
    let env = Env::with_small();
    let metrics = key(&env, &["--user", "prometheus", "--permission", "metrics_read"]);
    let served = Served::start(&env, "max_connections_per_address = 2");
    let _held: Vec<TcpStream> = (0..5).map(|_| served.connect()).collect();
    // Each newcomer takes the place of the oldest silent connection of its own address.
    let text = served.get("/metrics", &[("xi-api-key", &metrics)]).text();
    let open = text.lines().find(|line| line.starts_with("auditlake_connections_open ")).unwrap();
    assert!(["auditlake_connections_open 1", "auditlake_connections_open 2"].contains(&open), "{open}");
}

#[test]
fn a_stop_ends_what_is_running_and_nothing_else() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut served = Served::start(&env, "");
    let mut running = served.connect();
    let idle = served.connect();
    write!(running, "GET {PATH} HTTP/1.1\r\nHost: t\r\nxi-api-key: {key}\r\n").unwrap();
    // Once this is answered, the bytes above have been read as well.
    served.page(&key, "limit=1");
    let pid = served.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // It says so on stderr before it accepts no more.
    let mut said = BufReader::new(served.child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("stopping"), "{line}");
    running.write_all(b"\r\n").unwrap();
    let answer = read_answer(&mut running);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["entries"].as_array().unwrap().len(), 5);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(served.address).is_err());
    drop(idle);
    assert_eq!(env.number("select count(*) from api_activity where activity_id = 2"), 2);
}

#[test]
fn without_tls_only_this_machine_is_listened_to() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["serve", "--listen", "0.0.0.0:0"]), @r"
    ------- stderr -------
    error: cannot listen on 0.0.0.0:0: keys and log entries would be sent in clear
    hint: use --tls-cert and --tls-key, or allow plain HTTP with --insecure-listen
    [exit status: 2]
    ");
    assert_snapshot!(env.run(["serve", "--listen", "[::]:0", "--tls-cert", "c.pem"]), @r"
    ------- stderr -------
    error: TLS needs both a certificate and its key
    hint: pass --tls-cert and --tls-key
    [exit status: 2]
    ");
    assert_snapshot!(env.run(["serve", "--listen", "nowhere"]), @r"
    ------- stderr -------
    error: cannot listen on nowhere: invalid socket address
    hint: write an address and a port, such as 127.0.0.1:8080
    [exit status: 2]
    ");
    env.write("no.pem", "nothing");
    assert_snapshot!(env.run(["serve", "--tls-cert", "no.pem", "--tls-key", "no.pem"]), @r"
    ------- stderr -------
    error: cannot read no.pem as PEM: it holds no certificate
    [exit status: 2]
    ");
    let mut served = Served::start_with(&env, "", &["--listen", "0.0.0.0:0", "--insecure-listen"]);
    served.address.set_ip([127, 0, 0, 1].into());
    assert_eq!(served.get("/healthz", &[]).status, 200);
}

#[test]
fn with_a_certificate_the_log_is_served_over_tls() {
    let env = Env::with_small();
    let key = reader(&env);
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");
    let certificate = format!("{tls}/cert.pem");
    // Git does not keep modes.
    env.write("key.pem", std::fs::read(format!("{tls}/key.pem")).unwrap());
    let secret = env.path("key.pem").to_string_lossy().into_owned();
    let mode = |mode| std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    assert_snapshot!(env.run(["serve", "--tls-cert", &certificate, "--tls-key", "key.pem"]), @r"
    ------- stderr -------
    error: cannot read the certificate's key from key.pem: others may read or write it (mode 0644)
    hint: chmod 600 key.pem
    [exit status: 2]
    ");
    mode(0o600);
    let served =
        Served::start_with(&env, "header_timeout = \"1s\"", &["--tls-cert", &certificate, "--tls-key", &secret]);

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, served.connect());
    write!(stream, "GET {PATH} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nxi-api-key: {key}\r\n\r\n").unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!((answer.status, answer.json()["entries"].as_array().unwrap().len()), (200, 5));
    // Plain HTTP gets no answer, and nobody waits for a handshake that does not come.
    let mut plain = served.connect();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
    let mut silent = served.connect();
    assert_eq!(silent.read(&mut [0; 8]).unwrap_or(0), 0);
}
