//! The table: each figure with its target, and whether it was reached in this run.

use std::fmt::Write as _;

use crate::IN_FLIGHT;
use crate::beside::Beside;
use crate::case::{Case, IDLE, Latency};

/// One line of the table.
struct Line {
    name: String,
    figures: Vec<String>,
    target: &'static str,
    reached: Option<bool>,
}

/// The whole table, with a line that says how it came about.
pub(crate) fn markdown(cases: &[Case], latency: &Latency) -> String {
    let mut text = format!(
        "One run on {} cores, {IN_FLIGHT} requests in flight; the simulated Leaf, the bare loop and Leafwatch in processes\n\
         of their own, unchanged sweeps and bare passes in turn.\n\n|",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    for case in cases {
        write!(text, " | {}", thousands(case.fleet)).unwrap();
    }
    text += " | target | |\n| --- |";
    text += &" ---: |".repeat(cases.len());
    text += " --- | --- |\n";
    for line in lines(cases, latency) {
        let reached = match line.reached {
            None => "",
            Some(true) => "reached",
            Some(false) => "**missed**",
        };
        writeln!(
            text,
            "| {} | {} | {} | {reached} |",
            line.name,
            line.figures.join(" | "),
            line.target
        )
        .unwrap();
    }
    text
}

/// What a reader of the page costs a sweep.
pub(crate) fn beside(beside: &Beside) -> String {
    let ratio = beside.ratio();
    let verdict = match ratio < 1.05 {
        true => "reached",
        false => "**missed**",
    };
    format!(
        "A sweep of {} at 2,500 requests a second took {ratio:.3} times as long while the page was loaded in a loop\n\
         ({} pages in {} sweeps; target < 1.05: {verdict}).",
        thousands(beside.fleet),
        thousands(beside.pages),
        beside.read.len()
    )
}

fn lines(cases: &[Case], latency: &Latency) -> Vec<Line> {
    let per_second = |case: &Case, wall: f64| case.fleet as f64 * f64::from(case.pairs) / wall;
    let small = cases
        .first()
        .map_or(0.0, |case| case.one_unchanged().cpu / case.fleet as f64);
    let scale = move |case: &Case| case.one_unchanged().cpu / case.fleet as f64 / small;
    let grown = |case: &Case| (case.bytes_after_ten as f64 - case.bytes_first as f64) / 1024.0;
    let turned = |case: &Case| case.turned.cpu / case.one_unchanged().cpu;
    let turned_wall = |case: &Case| case.turned.wall / case.one_unchanged().wall;
    let idle = |case: &Case| case.idle_cpu / IDLE.as_secs_f64() * 100.0;
    let mib = |kib: u64| kib as f64 / 1024.0;
    let all = |name: &str, figure: &dyn Fn(&Case) -> String| Line {
        name: name.to_owned(),
        figures: cases.iter().map(figure).collect(),
        target: "",
        reached: None,
    };
    let held = |name: &str,
                figure: &dyn Fn(&Case) -> f64,
                digits: usize,
                target: &'static str,
                most: f64| Line {
        name: name.to_owned(),
        figures: cases
            .iter()
            .map(|case| format!("{:.digits$}", figure(case)))
            .collect(),
        target,
        reached: Some(cases.iter().all(|case| figure(case) <= most)),
    };
    let mut lines = vec![
        all("requests a second, unchanged sweep", &|case| {
            format!("{:.0}", per_second(case, case.unchanged.wall))
        }),
        all("requests a second, bare loop", &|case| {
            format!("{:.0}", per_second(case, case.bare.wall))
        }),
        all("CPU s for 10,000, unchanged sweep", &|case| {
            format!("{:.3}", case.cpu_of_10_000(case.unchanged, case.pairs))
        }),
        all("CPU s for 10,000, bare loop", &|case| {
            format!("{:.3}", case.cpu_of_10_000(case.bare, case.pairs))
        }),
        held(
            "unchanged sweep to bare loop, CPU",
            &|case| case.unchanged.cpu / case.bare.cpu,
            2,
            "≤ 1.3",
            1.3,
        ),
        all("CPU s for 10,000, first sweep", &|case| {
            format!("{:.3}", case.cpu_of_10_000(case.first, 1))
        }),
        held(
            "first sweep to bare loop, CPU",
            &|case| case.first.cpu / case.bare_beside_first.cpu,
            2,
            "≤ 2",
            2.0,
        ),
        held(
            "CPU a credential, to that at the smallest",
            &scale,
            2,
            "≤ 1.2",
            1.2,
        ),
        held(
            "peak memory, MiB",
            &|case| mib(case.peak_kib),
            1,
            "< 60",
            60.0,
        ),
        held(
            "peak memory, all turned invalid, MiB",
            &|case| mib(case.peak_turned_kib),
            1,
            "< 60",
            60.0,
        ),
        all("database after the first sweep, KiB", &|case| {
            format!("{:.0}", case.bytes_first as f64 / 1024.0)
        }),
        held("ten unchanged sweeps add, KiB", &grown, 0, "≤ 8", 8.0),
        held(
            "all turned invalid, judged and packed, to an unchanged sweep, CPU",
            &turned,
            1,
            "≤ 5",
            5.0,
        ),
        held("the same, time", &turned_wall, 1, "≤ 5", 5.0),
        held(
            "start to first request, s",
            &|case| case.start,
            2,
            "< 1",
            1.0,
        ),
        held(
            "the same with a filled database, s",
            &|case| case.start_again,
            2,
            "< 1",
            1.0,
        ),
        held("idle, % of a core", &idle, 3, "< 0.2", 0.2),
    ];
    let of_latency = |case: &Case| match case.fleet == latency.fleet {
        true => format!("{:.2}", latency.worst()),
        false => "".to_owned(),
    };
    lines.push(Line {
        name: format!(
            "bad answer to the mail's 250, beyond `group_wait`, worst of {}, s",
            latency.beyond.len()
        ),
        figures: cases.iter().map(of_latency).collect(),
        target: "≤ 1",
        reached: Some(latency.worst() <= 1.0),
    });
    lines
}

fn thousands(number: u64) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}
