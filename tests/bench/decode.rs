//! `cargo bench`: the decoder alone, and redaction alone, over 10,000 synthetic entries.

use std::hint::black_box;
use std::sync::Arc;

use auditlake::decode::{Decoder, Options, RowOrigin};
use auditlake::r#gen;
use auditlake::redact::{Counts, Policy, Rules};
use auditlake::schema::{EventBatch, Ocsf};
use criterion::{Criterion, Throughput};

fn decode(decoder: &mut Decoder, ndjson: &[u8]) -> Vec<EventBatch> {
    for (number, line) in ndjson.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let origin = RowOrigin { digest: 0, number: number as u64 + 1, offset: 0 };
        decoder.push(line, origin).expect("generated entries are rows");
    }
    decoder.flush()
}

fn main() {
    let mut ndjson = Vec::new();
    let options = r#gen::Options { count: 10_000, ..r#gen::Options::default() };
    r#gen::run(&options, &mut ndjson).expect("memory can be written to");
    let ocsf = Arc::new(Ocsf::load(None).expect("the embedded schemas are sound"));
    let mut decoder = Decoder::new(ocsf, Options::default());
    let policy = Policy::new(Rules::embedded(), b"key").expect("the embedded rules are sound");
    let batches = decode(&mut decoder, &ndjson);

    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Bytes(ndjson.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(decode(&mut decoder, &ndjson))));
    group.bench_function("redact", |bencher| {
        bencher.iter(|| {
            for events in &batches {
                let redacted = policy.apply(events.batch.clone(), &mut Counts::default());
                black_box(redacted.expect("batches are text and numbers"));
            }
        });
    });
    group.finish();
    criterion.final_summary();
}
