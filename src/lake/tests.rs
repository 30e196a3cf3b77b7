//! The commit protocol, step by step: what a crash, a race or a lying store may not do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};

use super::ledger::entry::checkpoint_path;
use super::ledger::log::{Appended, Ledger, Moment};
use super::ledger::{change, checkpoint};
use super::tables::commit::EntryRef;
use super::tables::table::TableCommit;
use super::writing::stage::Made;
use super::*;
use crate::schema::EventBatch;
use crate::typed::Hash32;

const JANUARY: i64 = 1_767_225_600_000_000;
const DAY: i64 = 86_400_000_000;

fn ocsf() -> Arc<Ocsf> {
    Arc::new(Ocsf::load(None).unwrap())
}

/// Events of one class with nothing but a uid, a time, the digest of the line and a message: all but its last digit.
fn events(ocsf: &Ocsf, rows: &[(&str, i64, i64)]) -> Arrived {
    let class = ocsf.by_name("authentication").unwrap().clone();
    let columns = class.arrow.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "time" => {
                let times = rows.iter().map(|row| row.1);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            "_event_uid" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            "_digest" => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| (row.2 as u128).to_be_bytes()))),
            "message" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| (row.2 / 10).to_string()))),
            _ => new_null_array(field.data_type(), rows.len()),
        }
    });
    let batch = RecordBatch::try_new(class.arrow.clone(), columns.collect()).unwrap();
    let origins = (1..=rows.len() as u64).map(|line| (line, line * 100)).collect();
    Arrived { source: "test".into(), events: EventBatch { class, batch, origins } }
}

fn batch(ocsf: &Ocsf, rows: &[(&str, i64, i64)]) -> Batch {
    Batch { events: vec![events(ocsf, rows)], read: rows.len() as u64, ..Batch::default() }
}

/// Rows as JSON, as far as the test's events have anything.
fn restore() -> Restore {
    Arc::new(|_, batch, row| {
        let uid = batch.column_by_name("_event_uid").unwrap().as_any().downcast_ref::<StringArray>().unwrap();
        let message = batch.column_by_name("message").unwrap().as_any().downcast_ref::<StringArray>().unwrap();
        Ok(format!("{{\"uid\":\"{}\",\"message\":\"{}\"}}", uid.value(row), message.value(row)).into_bytes())
    })
}

/// After any real time: entries that are written by such a clock are in order.
const LATER: i64 = 4_000_000_000_000;

async fn append(ledger: &mut Ledger, writer: &str, now_ms: i64) -> Result<Appended> {
    let moment = Moment { time_ms: now_ms, skew_ms: None };
    ledger.append(writer, moment, Body::Ingest(Ingest::default())).await
}

struct Fixture {
    _dir: tempfile::TempDir,
    root: PathBuf,
    ocsf: Arc<Ocsf>,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        Fixture { root: dir.path().join("lake"), _dir: dir, ocsf: ocsf() }
    }

    async fn writer(&self) -> Writer {
        let lake = Lake::open_or_create(&self.root, &Options::default(), self.ocsf.clone(), Clock::Real).await.unwrap();
        Writer::new(lake, Clock::Real, 2, restore()).unwrap()
    }

    async fn ledger(&self, store: Arc<dyn ObjectStore>) -> Result<Ledger> {
        let names = Durable::new(&self.root).unwrap().names(&Path::from("_ledger")).await.unwrap();
        Ok(Ledger::open(store, &Listing::of(names), None).await?.unwrap())
    }

    async fn lake(&self) -> Lake {
        Lake::open(&self.root, self.ocsf.clone()).await.unwrap()
    }

    fn adds(&self, table: &str) -> usize {
        let log = self.root.join(table).join("_delta_log");
        let files = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
        let json = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "json"));
        json.map(|path| fs::read_to_string(path).unwrap().matches("{\"add\":").count()).sum()
    }
}

#[tokio::test]
async fn a_batch_is_in_the_ledger_in_the_files_and_in_delta() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    let rows = [("a", JANUARY, 10), ("b", JANUARY + 40 * DAY, 20), ("c", JANUARY + DAY, 30)];
    let receipt = writer.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    assert_eq!(receipt.sequence, 1);
    let state = fixture.lake().await.state().clone();
    let files = &state.tables["authentication"].files;
    assert_eq!(
        files.iter().map(|file| (file.partition(), file.rows)).collect::<Vec<_>>(),
        [("2026-01", 2), ("2026-02", 1)]
    );
    assert!(files.iter().all(|file| fixture.root.join("authentication").join(file.path()).exists()));
    assert_eq!(fixture.adds("authentication"), 2);
}

#[tokio::test]
async fn the_same_event_again_is_a_duplicate_and_with_other_content_a_revision() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10), ("b", JANUARY, 20)])).await.unwrap();
    // In another process: nothing is remembered, the files are looked into.
    let mut writer = fixture.writer().await;
    // `b` came with another spelling of the same content, `a` with other content.
    let rows = [("b", JANUARY, 21), ("a", JANUARY, 99), ("c", JANUARY, 30), ("c", JANUARY, 30)];
    let counts = writer.commit(batch(&fixture.ocsf, &rows)).await.unwrap().counts;
    assert_eq!((counts.accepted, counts.duplicate, counts.revised, counts.rejected), (1, 2, 1, 0));
    assert_eq!(fixture.lake().await.state().tables[REVISION_TABLE].rows(), 1);
    assert_eq!(fixture.adds(REVISION_TABLE), 1);
    // A revision that comes again, as the same line or as another one, is a duplicate of it; a third version is not.
    let rows = [("a", JANUARY, 99), ("a", JANUARY, 98), ("a", JANUARY, 77), ("a", JANUARY, 78)];
    let receipt = fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    assert_eq!((receipt.counts.accepted, receipt.counts.duplicate, receipt.counts.revised), (0, 3, 1));
    assert_eq!(receipt.notes.redelivered, 2);
    let state = fixture.lake().await.state().clone();
    assert_eq!((state.totals.revised, state.notes.redelivered), (2, 3));
}

#[tokio::test]
async fn an_event_of_another_time_is_another_event() {
    let fixture = Fixture::new();
    let rows = [("a", JANUARY, 10), ("a", JANUARY + 40 * DAY, 20)];
    let together = fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    assert_eq!((together.counts.accepted, together.notes.shared_uids), (2, 1));
    let fixture = Fixture::new();
    for row in &rows {
        let receipt = fixture.writer().await.commit(batch(&fixture.ocsf, std::slice::from_ref(row))).await.unwrap();
        assert_eq!(receipt.counts.accepted, 1);
    }
    let again = fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    assert_eq!((again.counts.accepted, again.counts.duplicate), (0, 2));
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_forgetting_changes_nothing() {
    let fixture = Fixture::new();
    let of = |n: i64| {
        let names: Vec<String> = (0..8).map(|uid| format!("u{uid}-{n}")).collect();
        let rows: Vec<(&str, i64, i64)> = names
            .iter()
            .enumerate()
            .map(|(at, uid)| (uid.as_str(), JANUARY + at as i64, n * 100 + at as i64))
            .collect();
        batch(&fixture.ocsf, &rows)
    };
    // Files that are forgotten soon, and files that are too large to be remembered at all.
    for limit in [4000, 500] {
        let mut writer = fixture.writer().await;
        writer.index.limit(limit);
        for n in 0..30 {
            writer.commit(of(n)).await.unwrap();
            assert!(writer.index.remembered() <= limit + 1000, "{}", writer.index.remembered());
        }
        for n in (0..30).rev() {
            let counts = writer.commit(of(n)).await.unwrap().counts;
            assert_eq!((counts.accepted, counts.duplicate), (0, 8));
        }
    }
    assert_eq!(fixture.lake().await.state().tables["authentication"].rows(), 240);
}

#[tokio::test]
async fn rows_without_a_uid_and_their_exact_doubles_are_counted() {
    let fixture = Fixture::new();
    let nameless = |digests: &[i64]| {
        let rows: Vec<(&str, i64, i64)> = digests.iter().map(|digest| ("", JANUARY, *digest)).collect();
        let mut batch = batch(&fixture.ocsf, &rows);
        without_uids(&mut batch);
        batch
    };
    let first = fixture.writer().await.commit(nameless(&[10, 20, 10])).await.unwrap();
    assert_eq!((first.counts.accepted, first.notes.without_uid, first.notes.exact_doubles), (3, 3, 1));
    let second = fixture.writer().await.commit(nameless(&[20, 30])).await.unwrap();
    assert_eq!((second.counts.accepted, second.notes.without_uid, second.notes.exact_doubles), (2, 2, 1));
    let notes = fixture.lake().await.state().notes;
    assert_eq!((notes.without_uid, notes.exact_doubles), (5, 2));
}

/// Takes the uids from a batch.
fn without_uids(batch: &mut Batch) {
    for Arrived { events, .. } in &mut batch.events {
        let at = events.batch.schema().index_of("_event_uid").unwrap();
        let mut columns = events.batch.columns().to_vec();
        columns[at] = new_null_array(columns[at].data_type(), events.batch.num_rows());
        events.batch = RecordBatch::try_new(events.batch.schema(), columns).unwrap();
    }
}

#[tokio::test]
async fn a_backfill_of_a_disjoint_month_looks_into_no_file() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("b", JANUARY - 40 * DAY, 10)])).await.unwrap();
    assert_eq!(writer.files_looked_up(), 0);
    writer.commit(batch(&fixture.ocsf, &[("c", JANUARY, 10)])).await.unwrap();
    assert_eq!(writer.files_looked_up(), 1);
}

/// A batch of lines that are no rows, at the offsets that [`events`] gives its rows.
fn rejects(lines: u64) -> Batch {
    let reject = |line| RejectRow { source: "test".into(), line, offset: line * 100, ..RejectRow::default() };
    Batch { rejects: (1..=lines).map(reject).collect(), read: lines, ..Batch::default() }
}

/// The same lines taken in, by someone who has read the ledger up to `known`.
fn retry(ocsf: &Ocsf, rows: &[(&str, i64, i64)], known: u64) -> Batch {
    let line = |line| RetryLine { batch: 1, source: "test".into(), line, offset: line * 100, is_copy: false };
    let lines = (1..=rows.len() as u64).map(line).collect();
    Batch { events: vec![events(ocsf, rows)], retry: Some(Retry { known, lines }), ..Batch::default() }
}

async fn open_lines(lake: &Lake) -> usize {
    let mut open = 0;
    let count = |rows: RecordBatch| {
        open += rows.num_rows();
        Ok(())
    };
    lake.open_rejects(&RejectFilter::default(), count).await.unwrap();
    open
}

#[tokio::test]
async fn a_retry_moves_lines_from_the_rejects_to_the_rows() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(rejects(5)).await.unwrap();
    let rows = [("a", JANUARY, 10), ("b", JANUARY, 20), ("c", JANUARY, 30)];
    let counts = fixture.writer().await.commit(retry(&fixture.ocsf, &rows, 1)).await.unwrap().counts;
    assert_eq!((counts.read, counts.accepted, counts.rejected), (3, 3, 0));
    let lake = fixture.lake().await;
    let Body::Ingest(ingest) = lake.entry(2).await.unwrap().0.body else { panic!() };
    assert_eq!(ingest.retried, [Retried { batch: 1, source: "test".into(), lines: vec![(1, 3)] }]);
    let totals = lake.state().totals;
    assert_eq!((totals.read, totals.accepted, totals.rejected), (5, 3, 2));
    totals.check().unwrap();
    assert_eq!((open_lines(&lake).await, lake.state().tables[REJECT_TABLE].rows()), (2, 5));
}

#[tokio::test]
async fn of_two_retries_at_once_one_gives_way() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(rejects(2)).await.unwrap();
    let (mut first, mut second) = (fixture.writer().await, fixture.writer().await);
    let rows = [("a", JANUARY, 10), ("b", JANUARY, 20)];
    first.commit(retry(&fixture.ocsf, &rows, 1)).await.unwrap();
    let error = second.commit(retry(&fixture.ocsf, &rows, 1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert_eq!(fixture.lake().await.state().tables["authentication"].rows(), 2);
}

#[tokio::test]
async fn a_retried_line_whose_event_is_there_becomes_a_revision() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(rejects(2)).await.unwrap();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    let rows = [("a", JANUARY, 99), ("b", JANUARY, 20)];
    let counts = fixture.writer().await.commit(retry(&fixture.ocsf, &rows, 2)).await.unwrap().counts;
    assert_eq!((counts.read, counts.accepted, counts.duplicate, counts.revised), (2, 1, 0, 1));
    let lake = fixture.lake().await;
    assert_eq!(open_lines(&lake).await, 0);
    let totals = lake.state().totals;
    assert_eq!((totals.read, totals.accepted, totals.revised, totals.rejected), (3, 2, 1, 0));
    totals.check().unwrap();
}

#[tokio::test]
async fn two_runs_over_one_file_do_not_double_what_has_no_uid() {
    let fixture = Fixture::new();
    let mark = |offset| Mark { offset, line: offset / 100, blake3: Hash32::sha256(&u64::to_le_bytes(offset)) };
    let head = Head { bytes: 4096, sha256: "h".into() };
    let of_file = |mut batch: Batch, from, to| {
        batch.sources = vec![SourceRange {
            name: "test".into(),
            head: Some(head.clone()),
            from: mark(from),
            to: mark(to),
            ..SourceRange::default()
        }];
        batch
    };
    let nameless = || {
        let mut batch = batch(&fixture.ocsf, &[("a", JANUARY, 10)]);
        without_uids(&mut batch);
        batch
    };
    let named = || batch(&fixture.ocsf, &[("b", JANUARY, 10)]);
    let (mut first, mut second, mut third) = (fixture.writer().await, fixture.writer().await, fixture.writer().await);
    first.commit(of_file(nameless(), 0, 500)).await.unwrap();
    first.commit(of_file(nameless(), 500, 900)).await.unwrap();
    for batch in [nameless(), rejects(1)] {
        let error = second.commit(of_file(batch, 0, 500)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Locked, "{error}");
    }
    // Events with uids are looked up: two runs may share the work.
    third.commit(of_file(named(), 0, 500)).await.unwrap();
    // Whoever begins now knows of the others, and has another file with the same head.
    fixture.writer().await.commit(of_file(nameless(), 0, 300)).await.unwrap();
    assert_eq!(fixture.lake().await.state().tables["authentication"].rows(), 4);
}

#[tokio::test]
async fn an_entry_whose_writer_died_is_finished_by_the_next_reader() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("b", JANUARY + 1, 10)])).await.unwrap();
    // As if the process had died right behind the entry: files staged, tables behind, no note.
    let table = fixture.root.join("authentication");
    let state = fixture.lake().await.state().clone();
    let last = state.tables["authentication"].files.last().unwrap().clone();
    let staged = fixture.root.join(last.staging_path().as_ref());
    fs::create_dir_all(staged.parent().unwrap()).unwrap();
    fs::rename(table.join(last.path()), &staged).unwrap();
    fs::remove_file(table.join("_delta_log/00000000000000000002.json")).unwrap();
    // An attempt that never committed left a file of a sequence that is taken; somebody alive has one of the next.
    let of = |sequence| {
        layout::staging_path("authentication", &FileName { sequence, ..last.name() }.with_hash(&last.sha256))
    };
    fs::write(fixture.root.join(of(1).as_ref()), "dead").unwrap();
    fs::write(fixture.root.join(of(3).as_ref()), "alive").unwrap();
    assert_eq!(fixture.adds("authentication"), 1);

    fixture.lake().await.settle().await.unwrap();
    assert!(table.join(last.path()).exists());
    assert_eq!(fixture.adds("authentication"), 2);
    assert_eq!(fs::read_dir(fixture.root.join("_staging")).unwrap().count(), 1);
    assert!(fixture.root.join(of(3).as_ref()).exists());
    fixture.lake().await.settle().await.unwrap();
    assert_eq!(fixture.adds("authentication"), 2);
}

#[tokio::test]
async fn delta_takes_an_entry_in_once_however_often_it_is_applied() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    let lake = fixture.lake().await;
    let state = lake.state();
    let file = &state.tables["authentication"].files[0];
    let (entry, hash) = lake.entry(1).await.unwrap();
    let commit = || TableCommit { table: "authentication", version: 1, files: vec![file.as_ref()] };
    for _ in 0..2 {
        lake.projection().apply(&commit(), &EntryRef::of(&entry, &hash)).await.unwrap();
    }
    assert_eq!(fixture.adds("authentication"), 1);
    // What another entry made is not taken for it, nor is a version put where one before it is missing.
    let other = EntryRef { hash: "00".repeat(32), ..EntryRef::of(&entry, &hash) };
    let far = TableCommit { version: 5, ..commit() };
    for error in [lake.projection().apply(&commit(), &other).await, lake.projection().apply(&far, &other).await] {
        assert_eq!(error.unwrap_err().kind(), Kind::Integrity);
    }
}

#[tokio::test]
async fn nothing_cleans_the_delta_log_up() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    for n in 0..25 {
        writer.commit(batch(&fixture.ocsf, &[(&format!("u{n}"), JANUARY + n, n)])).await.unwrap();
    }
    let log = fixture.root.join("authentication/_delta_log");
    let first = fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    assert!(first.contains("\"delta.enableExpiredLogCleanup\":\"false\""), "{first}");
    // A process that knows of no checkpoint is told by Delta's own hint.
    writer.lake().projection().checkpoint_if_due("authentication", 25).await.unwrap();
    assert!(log.join("00000000000000000020.checkpoint.parquet").exists() && log.join("_last_checkpoint").exists());
    assert_eq!(fixture.adds("authentication"), 25);
}

#[tokio::test]
async fn of_two_writers_of_one_sequence_one_wins_and_the_other_looks_again() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let store: Arc<dyn ObjectStore> = Arc::new(Durable::new(&fixture.root).unwrap());
    let mut first = fixture.ledger(store.clone()).await.unwrap();
    let mut second = fixture.ledger(store).await.unwrap();
    append(&mut first, "first", LATER).await.unwrap();
    assert_eq!(append(&mut second, "second", LATER).await.unwrap(), Appended::Lost);
    second.refresh().await.unwrap();
    assert_ne!(append(&mut second, "second", LATER).await.unwrap(), Appended::Lost);
    assert_eq!(second.state().sequence, 2);
}

#[tokio::test]
async fn an_error_after_the_entry_is_there_is_a_commit_and_one_before_it_is_an_error() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let inner = Arc::new(Durable::new(&fixture.root).unwrap());
    let store = Arc::new(Lying { inner, writes_first: AtomicBool::new(true) });
    let mut ledger = fixture.ledger(store.clone()).await.unwrap();
    assert_ne!(append(&mut ledger, "a", LATER).await.unwrap(), Appended::Lost);
    store.writes_first.store(false, Ordering::Relaxed);
    append(&mut ledger, "a", LATER).await.unwrap_err();
    assert_eq!(fixture.ledger(store).await.unwrap().state().sequence, 1);
}

#[tokio::test]
async fn a_changed_entry_breaks_the_chain_and_a_damaged_checkpoint_does_not() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let store: Arc<dyn ObjectStore> = Arc::new(Durable::new(&fixture.root).unwrap());
    let mut ledger = fixture.ledger(store.clone()).await.unwrap();
    for n in 0..40 {
        ledger.checkpoint_if_due().await;
        append(&mut ledger, "a", LATER + n).await.unwrap();
    }
    let named = ledger.state().checkpoint.unwrap();
    assert_eq!(named.sequence, 32);
    let checkpoint = fixture.root.join(checkpoint_path(&named).as_ref());
    assert!(checkpoint.exists());
    assert_eq!(ledger.state_at(35).await.unwrap().time_ms, LATER + 34);
    let same = |one: &State, other: &State| State { weight: 0, ..one.clone() } == State { weight: 0, ..other.clone() };
    assert!(same(fixture.ledger(store.clone()).await.unwrap().state(), ledger.state()));
    fs::write(&checkpoint, "{}").unwrap();
    assert!(same(fixture.ledger(store.clone()).await.unwrap().state(), ledger.state()));

    let entry = fixture.root.join(layout::entry_path(7).as_ref());
    let text = fs::read_to_string(&entry).unwrap();
    let changed = text.replace(&format!("\"time_ms\":{}", LATER + 6), &format!("\"time_ms\":{}", LATER + 7));
    assert_ne!(text, changed);
    fs::write(&entry, changed).unwrap();
    let error = fixture.ledger(store).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
}

#[tokio::test]
async fn a_foreign_directory_is_refused_and_left_alone() {
    let fixture = Fixture::new();
    fs::create_dir_all(&fixture.root).unwrap();
    fs::write(fixture.root.join("thesis.tex"), "x").unwrap();
    let made = Lake::open_or_create(&fixture.root, &Options::default(), fixture.ocsf.clone(), Clock::Real).await;
    assert_eq!(made.unwrap_err().kind(), Kind::Usage);
    assert_eq!(fs::read_dir(&fixture.root).unwrap().count(), 1);
}

/// A store whose writes report an error, after or instead of the write.
#[derive(Debug)]
struct Lying {
    inner: Arc<Durable>,
    writes_first: AtomicBool,
}

impl fmt::Display for Lying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lying")
    }
}

#[async_trait]
impl ObjectStore for Lying {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        if self.writes_first.load(Ordering::Relaxed) {
            self.inner.put_opts(path, payload, options).await?;
        }
        Err(object_store::Error::Generic { store: "lying", source: "the connection broke".into() })
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn times_never_fall_along_the_ledger_whatever_clocks_do() {
    let fixture = Fixture::new();
    let at =
        |day: i64| Clock::Fixed(chrono::DateTime::from_timestamp_millis(1_767_225_600_000 + day * 86_400_000).unwrap());
    let lake = Lake::open_or_create(&fixture.root, &Options::default(), fixture.ocsf.clone(), at(0)).await.unwrap();
    drop(lake);
    // One writer's clock is forty days ahead, another's a day behind.
    for (number, day) in [1, 40, 2, -1, 3, 41].into_iter().enumerate() {
        let mut writer = Writer::new(fixture.lake().await, at(day), 2, restore()).unwrap();
        let uid = format!("u{number}");
        let receipt = writer.commit(batch(&fixture.ocsf, &[(&uid, JANUARY, 10)])).await.unwrap();
        let expected = [None, None, Some(38), Some(41), Some(37), None][number];
        assert_eq!(receipt.skew_ms, expected.map(|days: i64| days * 86_400_000), "{number}");
    }
    let lake = fixture.lake().await;
    let mut times = Vec::new();
    let tell = |entry: Entry, _| {
        times.push((entry.time_ms - 1_767_225_600_000) / 86_400_000);
        Ok(())
    };
    lake.entries(0, lake.state().sequence, tell).await.unwrap();
    assert_eq!(times, [0, 1, 40, 40, 40, 40, 41]);
    // Who rewrites an entry with an earlier time is found, hashes or not.
    let mut state = lake.state_at(2).await.unwrap();
    let (mut entry, hash) = lake.entry(3).await.unwrap();
    entry.time_ms -= 1;
    assert_eq!(state.apply(&entry, hash).unwrap_err().kind(), Kind::Integrity);
}

#[tokio::test]
async fn files_say_who_wrote_them_and_what_their_rows_are() {
    let fixture = Fixture::new();
    let rows = [("a", JANUARY, 10), ("b", JANUARY + 40 * DAY, 20), ("c", JANUARY + DAY, 30)];
    fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    let lake = fixture.lake().await;
    let (entry, _) = lake.entry(1).await.unwrap();
    let Body::Ingest(ingest) = &entry.body else { panic!() };
    assert_eq!(ingest.files.len(), 2);
    for file in &ingest.files {
        assert!(entry.writer_id.starts_with(&hex(&file.name().nonce[..4])), "{file} {}", entry.writer_id);
        let stored: Vec<RecordBatch> = rows_of(&lake, file).await;
        assert_eq!(row_digest(&stored).unwrap(), file.digest, "{file}");
        let bytes = fs::read(fixture.root.join(file.data_path().as_ref())).unwrap();
        assert_eq!(Hash32::sha256(&bytes), file.sha256);
        assert_eq!(Hash32::sha256(&bytes[bytes.len() - file.footer().bytes as usize..]), file.footer().sha256);
    }
    // Files of another writer have other names, whatever is in them.
    let first: Vec<String> = ingest.files.iter().map(FileEntry::path).collect();
    let other = Fixture::new();
    other.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    let lake = other.lake().await;
    assert!(lake.files().all(|file| !first.contains(&file.path())));
}

async fn rows_of(lake: &Lake, file: &FileEntry) -> Vec<RecordBatch> {
    use futures::TryStreamExt;
    rows(&lake.store(), file).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test]
async fn a_writer_whose_staged_files_are_gone_puts_them_again() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    // As if somebody had cleared `_staging/` between the entry and the moving.
    let lake = fixture.lake().await;
    let file = lake.state().tables["authentication"].files[0].clone();
    let place = fixture.root.join(file.data_path().as_ref());
    let bytes = fs::read(&place).unwrap();
    fs::remove_file(&place).unwrap();
    assert_eq!(lake.place(&[file.as_ref().clone()]).await.unwrap(), [file.data_path()]);
    let made = Made { file: file.as_ref().clone(), bytes: bytes.clone().into() };
    writer.lake().put_again(&[&made]).await.unwrap();
    assert_eq!(fs::read(&place).unwrap(), bytes);
    // Those who do not have the bytes say what is missing.
    fs::remove_file(&place).unwrap();
    let entry = EntryRef {
        sequence: 1,
        hash: String::new(),
        time_ms: 0,
        writer: String::new(),
        operation: super::tables::commit::Operation::Write,
        replaced: Arc::default(),
    };
    let body = Body::Ingest(Ingest { files: vec![file.as_ref().clone()], ..Ingest::default() });
    let error = lake.apply(&lake.projection(), &entry, &body, |_| 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("neither in place nor staged"), "{error}");
}

#[tokio::test]
async fn a_delta_log_is_written_anew_from_the_ledger_and_its_checkpoints_are_thinned() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    for n in 0..100 {
        writer.commit(batch(&fixture.ocsf, &[(&format!("u{n}"), JANUARY + n, n)])).await.unwrap();
    }
    let log = fixture.root.join("authentication/_delta_log");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&log).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let checkpoints = names().iter().filter(|name| name.contains(".checkpoint")).count();
    assert!((1..=5).contains(&checkpoints), "{:?}", names());
    assert!(fixture.lake().await.table_problems().await.unwrap().is_empty());
    let version = |n: u64| log.join(format!("{n:020}.json"));
    let before = fs::read(version(50)).unwrap();
    fs::remove_file(version(50)).unwrap();
    fs::remove_file(version(100)).unwrap();
    assert_eq!(fixture.lake().await.table_problems().await.unwrap().len(), 2);
    fixture.lake().await.settle().await.unwrap();
    assert_eq!(fs::read(version(50)).unwrap(), before);
    assert!(fixture.lake().await.table_problems().await.unwrap().is_empty());
}

/// An entry of five files in five tables, which is what a batch of a busy workspace makes.
fn busy(sequence: u64, now_ms: i64) -> Body {
    let tables = ["account_change", "authentication", "entity_management", "group_management", "user_access"];
    let file = |(part, table): (usize, &&str)| {
        let home = Home { table, column: "event_month", partition: &Partition::Month.value(now_ms * 1000) };
        let random = Hash32::sha256(format!("{sequence} {part}").as_bytes());
        let name = FileName { sequence, part: part as u32, nonce: [1, 2, 3, 4, 0, 1] };
        let mut bytes = random.0.to_vec();
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"PAR1");
        let digest = RowDigest::from(u128::from_be_bytes(random.0[..16].try_into().unwrap()));
        FileEntry::of(home, name, &bytes, 20, (now_ms * 1000, now_ms * 1000 + 9), digest).unwrap()
    };
    let source = SourceRange {
        kind: "file".into(),
        name: format!("/var/log/audit/part-{sequence}.ndjson"),
        head: Some(Head { bytes: 4096, sha256: Hash32::sha256(&sequence.to_le_bytes()).to_string() }),
        to: Mark { offset: 200_000, line: 100, blake3: Hash32::sha256(&sequence.to_be_bytes()) },
        state: "complete".into(),
        ..SourceRange::default()
    };
    let counts = Counts { read: 100, accepted: 100, ..Counts::default() };
    let files = tables.iter().enumerate().map(file).collect();
    Body::Ingest(Ingest { sources: vec![source], counts, files, ..Ingest::default() })
}

/// Appends entries as a writer does, and gives bytes of all entries, of all checkpoints ever, and of those that are left.
async fn grow(store: Arc<dyn ObjectStore>, ledger: &mut Ledger, entries: u64) -> (u64, u64, u64) {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    let folder = Path::from("_ledger");
    let mut written = 0;
    for _ in 0..entries {
        let (sequence, now_ms) = (ledger.state().sequence + 1, ledger.state().time_ms + 60_000);
        let has_checkpoint = ledger.checkpoint_if_due().await;
        let moment = ledger.moment(now_ms);
        ledger.append("0".repeat(32).as_str(), moment, busy(sequence, now_ms)).await.unwrap();
        if has_checkpoint {
            written += ledger.checkpoint_bytes();
            let there: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
            let listing = Listing::of(there.iter().map(|object| object.location.filename().unwrap().to_string()));
            for name in listing.surplus_checkpoints(sequence).map(str::to_string).collect::<Vec<_>>() {
                store.delete(&folder.clone().join(name)).await.unwrap();
            }
        }
    }
    let there: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
    let is_entry =
        |object: &&object_store::ObjectMeta| layout::entry_sequence(object.location.filename().unwrap()).is_some();
    let entries: u64 = there.iter().filter(is_entry).map(|object| object.size).sum();
    let all: u64 = there.iter().map(|object| object.size).sum();
    (entries, written, all - entries)
}

fn first_entry() -> Entry {
    Entry {
        sequence: 0,
        previous: None,
        time_ms: 1_700_000_000_000,
        skew_ms: None,
        writer: WRITER.into(),
        writer_id: "0".repeat(32),
        format: Some(FIRST),
        checkpoint: None,
        body: Body::Create(LakeInfo {
            lake_id: "1".repeat(32),
            partition: Partition::Month,
            ocsf_version: "1.6.0".into(),
            key_check: "2".repeat(32),
            access: layout::Access::Owner,
        }),
        signature: None,
    }
}

/// What twice as many commits cost is twice as much. `tests/bench/ledger` asks for a hundred thousand, on a disk.
#[tokio::test]
async fn a_ledger_twice_as_long_takes_twice_the_bytes_and_opens_from_a_few_files() {
    let mut sums = Vec::new();
    for entries in [400, 800] {
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        let mut ledger = Ledger::begin(store.clone(), first_entry(), &Signing::default()).await.unwrap().unwrap();
        let (of_entries, written, left) = grow(store.clone(), &mut ledger, entries).await;
        assert!(left <= of_entries, "{entries} entries of {of_entries} bytes, checkpoints of {left}");
        let named = ledger.state().checkpoint.unwrap();
        assert!(named.sequence > entries / 2, "{named:?}");
        sums.push(of_entries + written);
        // The state and the streams are those that all entries add up to.
        let names: Vec<String> = (0..=entries).map(|sequence| format!("{sequence:020}.json")).collect();
        let mut opened = Ledger::open(store, &Listing::of(names), None).await.unwrap().unwrap();
        assert_eq!(opened.state().tables, ledger.state().tables);
        assert_eq!(opened.state().totals, ledger.state().totals);
        assert_eq!(opened.streams().await.unwrap().all(), ledger.streams().await.unwrap().all());
    }
    assert!(sums[1] < sums[0] * 5 / 2, "{sums:?}");
}

/// Makes the lake that `tests/bench/ledger` measures: `AUDITLAKE_LEDGER=FOLDER:ENTRIES`. Files are not synced.
#[tokio::test]
#[ignore = "makes a large lake where AUDITLAKE_LEDGER says"]
async fn a_large_ledger() {
    let wanted = std::env::var("AUDITLAKE_LEDGER").expect("AUDITLAKE_LEDGER=FOLDER:ENTRIES");
    let (folder, entries) = wanted.rsplit_once(':').unwrap();
    let root = PathBuf::from(folder);
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join(layout::KEY_FILE), "0123456789abcdef".repeat(4)).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::local::LocalFileSystem::new_with_prefix(&root).unwrap());
    let mut ledger = Ledger::begin(store.clone(), first_entry(), &Signing::default()).await.unwrap().unwrap();
    let (of_entries, written, left) = grow(store.clone(), &mut ledger, entries.parse().unwrap()).await;
    // Of the tables only what opening looks at.
    let state = ledger.state().clone();
    let (entry, hash) = ledger.entry(state.sequence).await.unwrap();
    let Body::Ingest(ingest) = &entry.body else { panic!("an entry of files") };
    for file in &ingest.files {
        let path = layout::delta_path(file.table(), state.tables[file.table()].commits);
        let bytes = super::tables::commit::commit(&state.lake, &EntryRef::of(&entry, &hash), file.table(), &[file]);
        object_store::ObjectStoreExt::put(&store, &path, bytes.into()).await.unwrap();
    }
    let figures =
        format!("{{\"entries\": {of_entries}, \"checkpoints_written\": {written}, \"checkpoints_left\": {left}}}\n");
    fs::write(root.join("figures.json"), figures).unwrap();
}

/// Two files of one row, and what an entry that merges them would say.
async fn to_merge(fixture: &Fixture) -> (Writer, FileEntry, Compact) {
    let mut writer = fixture.writer().await;
    for number in 0..2 {
        writer.commit(batch(&fixture.ocsf, &[(["a", "b"][number], JANUARY, 10)])).await.unwrap();
    }
    let files = fixture.lake().await.state().tables["authentication"].files.clone();
    let replaced = change::paths_of(files.iter().map(Arc::as_ref));
    let (rows, digest) = (files.iter().map(|file| file.rows).sum(), files.iter().map(|file| file.digest).sum());
    let mut made = files[0].renamed(FileName { sequence: 3, part: 0, nonce: [7; 6] });
    (made.rows, made.digest) = (rows, digest);
    let change = Change { files: vec![made.clone()], replaced, ..Change::default() };
    (writer, made, Compact { change, rows, digest })
}

#[tokio::test]
async fn an_entry_that_would_lose_or_change_rows_is_not_written() {
    let fixture = Fixture::new();
    let (writer, made, told) = to_merge(&fixture).await;
    let mut ledger = writer.lake().ledger.clone();
    ledger.refresh().await.unwrap();
    let before = ledger.state().sequence;
    let of = |files: Vec<FileEntry>| Compact { change: Change { files, ..told.change.clone() }, ..told.clone() };
    let other = RowDigest::from(1);
    let (mut fewer, mut changed) = (made.clone(), made.clone());
    (fewer.rows, changed.digest) = (1, other);
    let mut uneven = vec![
        of(Vec::new()),
        of(vec![fewer]),
        of(vec![changed]),
        Compact { rows: 3, ..told.clone() },
        Compact { digest: other, ..told.clone() },
    ];
    let mut strange = told.clone();
    strange.change.replaced.get_mut("authentication").unwrap()[0]
        .replace_range(0..30, "event_month=2026-01/0000000009");
    uneven.push(strange);
    let moment = ledger.moment(LATER);
    for compact in uneven {
        let body = Body::Compact(compact);
        let error = ledger.append("w", moment, body.clone()).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Integrity | Kind::Conflict), "{error}");
        // One that somebody wrote all the same is not believed.
        let mut state = ledger.state().as_ref().clone();
        let entry = Entry {
            sequence: before + 1,
            previous: Some(state.hash.clone()),
            time_ms: LATER,
            skew_ms: None,
            writer: WRITER.to_string(),
            writer_id: "w".to_string(),
            format: None,
            checkpoint: None,
            body,
            signature: None,
        };
        assert_eq!(state.apply(&entry, "hash".into()).unwrap_err().kind(), Kind::Integrity);
    }
    ledger.refresh().await.unwrap();
    assert_eq!(ledger.state().sequence, before);
    assert!(matches!(ledger.append("w", moment, Body::Compact(told)).await.unwrap(), Appended::Committed(_)));
    assert_eq!(ledger.state().tables["authentication"].files.len(), 1);
    assert_eq!(ledger.state().replaced().0, 2);
    assert_eq!((ledger.state().format.format, ledger.state().format.reads_from), (2, 2));
}

#[tokio::test]
async fn a_checkpoint_keeps_what_was_replaced_held_and_removed() {
    let fixture = Fixture::new();
    let (writer, _, told) = to_merge(&fixture).await;
    let mut ledger = writer.lake().ledger.clone();
    ledger.refresh().await.unwrap();
    let hold = Hold { name: "h".into(), reason: "r".into(), owner: "o".into(), ..Hold::default() };
    let retain = Retain { before_us: [("authentication".to_string(), 7)].into(), ..Retain::default() };
    for body in [Body::Compact(told), Body::Hold(HoldStep::Add(hold)), Body::Retain(retain)] {
        let moment = ledger.moment(LATER);
        ledger.append("w", moment, body).await.unwrap();
    }
    let store = writer.lake().store();
    let streams = ledger.streams().await.unwrap();
    let (named, _) = checkpoint::write(&store, ledger.state(), &streams).await.unwrap();
    let read = checkpoint::read(&store, &named).await.unwrap().unwrap().state;
    let state = ledger.state().as_ref().clone();
    assert_eq!(read.aside.len(), 1);
    assert_eq!(
        (&read.tables, &read.aside, &read.holds, &read.before_us),
        (&state.tables, &state.aside, &state.holds, &state.before_us)
    );
}
