//! Parses the arguments, runs the command, prints the error chain.

fn main() -> anyhow::Result<()> {
    leafwatch::leaf::install_tls();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("warn")
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    let played = runtime.block_on(leafwatch::cli::demo::play(&Default::default()))?;
    eprintln!("{played:?}");
    Ok(())
}
