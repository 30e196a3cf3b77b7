//! The results of a batch: rows, duplicates, revisions, rejects that are ingested again.

use super::*;

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
    // Another process remembers nothing, so it reads the files.
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

/// Removes the uids from a batch.
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
    assert_eq!(writer.files_looked_up(), 0, "there are fingerprints");
    fs::remove_dir_all(fixture.root.join("_fingerprints")).unwrap();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("d", JANUARY, 10)])).await.unwrap();
    assert_eq!(writer.files_looked_up(), 2);
}

/// Makes a batch of lines that are not rows, at the offsets that [`events`] gives its rows.
fn rejects(lines: u64) -> Batch {
    let reject = |line| RejectRow { source: "test".into(), line, offset: line * 100, ..RejectRow::default() };
    Batch { rejects: (1..=lines).map(reject).collect(), read: lines, ..Batch::default() }
}

/// Makes a batch of the same lines as rows, by a process that has read the ledger up to `known`.
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
    // A process that begins now knows of the others, and has another file with the same head.
    fixture.writer().await.commit(of_file(nameless(), 0, 300)).await.unwrap();
    assert_eq!(fixture.lake().await.state().tables["authentication"].rows(), 4);
}
