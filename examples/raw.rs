#![allow(clippy::print_stdout, clippy::unwrap_used)]
use datafusion::prelude::*;
#[tokio::main]
async fn main() {
    let mut config =
        SessionConfig::new().with_information_schema(true).set_str("datafusion.sql_parser.dialect", "duckdb");
    for kv in std::env::args().skip(1) {
        let (k, v) = kv.split_once('=').unwrap();
        config = config.set_str(k, v);
    }
    let mut context = SessionContext::new_with_config(config);
    datafusion_functions_json::register_all(&mut context).unwrap();
    let text = std::io::read_to_string(std::io::stdin()).unwrap();
    for sql in text.split(";\n") {
        if sql.trim().is_empty() {
            continue;
        }
        println!("> {}", sql.trim());
        match context.sql(sql).await {
            Err(e) => println!("PLAN ERR {}", e.to_string().chars().take(300).collect::<String>()),
            Ok(f) => match f.collect().await {
                Err(e) => println!("RUN ERR {}", e.to_string().chars().take(300).collect::<String>()),
                Ok(b) => println!("{}", datafusion::arrow::util::pretty::pretty_format_batches(&b).unwrap()),
            },
        }
    }
}
