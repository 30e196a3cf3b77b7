//! Batches of columns.

use super::*;

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

#[test]
fn batches_are_redacted_at_any_depth() {
    let header =
        Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Utf8, true)]);
    let pairs = StructArray::new(
        header.clone(),
        vec![
            texts(&[Some("Host"), Some("Authorization"), None, Some("x-api-key"), Some("X-Url")]),
            texts(&[
                Some("x.io"),
                Some("Bearer hunter2"),
                Some("hunter1"),
                None,
                Some("https://x.io/?sig=hunter2hunter2"),
            ]),
        ],
        Some(NullBuffer::from(vec![true, true, true, true, true])),
    );
    let element = Arc::new(Field::new("element", DataType::Struct(header), true));
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 5].into());
    let headers =
        ListArray::new(element.clone(), offsets, Arc::new(pairs), Some(NullBuffer::from(vec![true, false, true])));
    let words = ListArray::new(
        Arc::new(Field::new("element", DataType::Utf8, true)),
        OffsetBuffer::new(vec![0, 1, 1, 2].into()),
        texts(&[Some("ok"), Some("password=hunter2")]),
        None,
    );
    let request = Fields::from(vec![
        Field::new("http_headers", DataType::List(element), true),
        Field::new("password", DataType::Utf8, true),
        Field::new("credential_uid", DataType::Utf8, true),
        Field::new("words", words.data_type().clone(), true),
    ]);
    let request = StructArray::new(
        request,
        vec![
            Arc::new(headers),
            texts(&[Some("hunter2"), None, Some("***")]),
            texts(&[Some("AKIAIOSFODNN7EXAMPLE"), Some("hunter1"), None]),
            Arc::new(words),
        ],
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let schema = Schema::new(vec![
        Field::new("request", request.data_type().clone(), true),
        Field::new("message", DataType::Utf8, true),
        Field::new("unmapped", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ]);
    let message = texts(&[Some("clean"), Some("also clean"), None]);
    let unmapped = texts(&[Some(r#"{"a":{"token":"hunter2"},"b":"x"}"#), None, Some("{}")]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(request.clone()), message.clone(), unmapped, Arc::new(Int64Array::from(vec![1, 2, 3]))];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();

    let mut counts = Counts::default();
    let redacted = POLICY.apply(batch.clone(), &mut counts).unwrap();
    let shown = format!("{redacted:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains("hunter1")
            && shown.contains("AKIAIOSFODNN7EXAMPLE")
            && shown.contains("Bearer [REDACTED:authorization:")
    );
    assert_eq!(redacted.schema(), batch.schema());
    assert_eq!(redacted.column(0).nulls(), batch.column(0).nulls());
    let lists = |batch: &RecordBatch| batch.column(0).as_struct().column(0).as_list::<i32>().clone();
    assert_eq!(
        (lists(&redacted).offsets(), lists(&redacted).nulls()),
        (lists(&batch).offsets(), lists(&batch).nulls())
    );
    assert!(Arc::ptr_eq(redacted.column(1), &message));
    assert_eq!(counts.total(), 5);
    assert_eq!(counts.iter().find(|(rule, _)| *rule == "password"), Some(("password", 2)));
    assert_eq!(POLICY.apply(redacted.clone(), &mut counts).unwrap(), redacted);
    assert_eq!(counts.total(), 5);

    // A slice begins in the middle of its buffers.
    let slice = POLICY.apply(batch.slice(1, 2), &mut counts).unwrap();
    assert!(!format!("{slice:?}").contains("password=hunter2"));
    assert_eq!(slice.column(2).as_string::<i32>(), batch.slice(1, 2).column(2).as_string::<i32>());
    assert_eq!(slice, redacted.slice(1, 2));
}

#[test]
fn columns_redact_like_their_texts() {
    let mut values: Vec<Option<String>> = Vec::new();
    for (index, text) in shaped().iter().flat_map(|secret| announced(secret)).enumerate() {
        values.extend([Some(text), None, Some(String::new())]);
        // Clean text in between, so that needles fall on the borders of blocks.
        values.extend((0..index % 7).map(|n| Some(format!("clean text {n} about users_{index} ").repeat(index % 5))));
    }
    let column: StringArray = values.iter().collect();
    let expected: StringArray = values.iter().map(|value| value.as_deref().map(redact)).collect();
    for from in [0, 1, 1000] {
        let batch =
            RecordBatch::try_from_iter([("m", Arc::new(column.slice(from, column.len() - from)) as ArrayRef)]).unwrap();
        let redacted = POLICY.apply(batch, &mut Counts::default()).unwrap();
        assert_eq!(redacted.column(0).as_string::<i32>(), &expected.slice(from, column.len() - from));
    }
}

#[test]
fn unknown_types_of_text_are_refused() {
    let views: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec!["a"]));
    let error = POLICY.apply(RecordBatch::try_from_iter([("v", views)]).unwrap(), &mut Counts::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot redact column `v` of type Utf8View");
}
