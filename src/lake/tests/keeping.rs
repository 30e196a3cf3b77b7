//! Entries that change files: merged, replaced, held, erased.

use super::*;

/// Makes two files of one row, and the entry that would merge them.
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
        // An invalid entry that somebody still wrote is not believed.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_large_erasure_is_several_entries_and_leaves_no_row_that_names_the_person() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    for month in 0..4 {
        let rows = [
            ("somebody-1", JANUARY + month * 31 * DAY, 10 * month),
            ("other", JANUARY + month * 31 * DAY, 1000 + 10 * month),
        ];
        writer.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    }
    let open = async || {
        let lake = Lake::open(&fixture.root, fixture.ocsf.clone()).await.unwrap();
        Keeper::new(lake, Clock::Real).unwrap()
    };
    let mut keeper = open().await;
    keeper.limit(1);
    let subjects = ["somebody-1".to_string()];
    let foreseen = keeper.erase(&subjects, "request", true).await.unwrap();
    assert_eq!((foreseen.rows["authentication"], foreseen.entries.len()), (4, 0));
    let done = keeper.erase(&subjects, "request", false).await.unwrap();
    assert_eq!((done.rows["authentication"], done.files, done.entries.len()), (4, 4, 4));
    let again = open().await.erase(&subjects, "request", false).await.unwrap();
    assert_eq!((again.rows.len(), again.entries.len()), (0, 0));
    let asked = Verify {
        level: Level::Rows,
        anchor: None,
        public_key: None,
        most: 10,
        patience: Default::default(),
        progress: Default::default(),
    };
    let verified = verify(&fixture.root, &fixture.ocsf, &asked).await.unwrap();
    assert_eq!((verified.rows, verified.faults), (8, vec![]));
}
