//! The two text forms of metrics: OpenMetrics as prometheus-client writes it, and Prometheus's older one for whoever
//! does not ask for OpenMetrics. Pure.

/// The type of OpenMetrics.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The type of the older form.
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// OpenMetrics in the older form: there a counter's family is named as its samples are, and there are no units and no
/// end mark.
pub(super) fn plain(open: &str) -> String {
    let counters: Vec<&str> = open
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut out = String::with_capacity(open.len());
    for line in open.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        let about = ["# HELP ", "# TYPE "]
            .into_iter()
            .find_map(|what| Some((what, line.strip_prefix(what)?.split_once(' ')?)));
        match about {
            Some((what, (name, rest))) if counters.contains(&name) => {
                out.push_str(&format!("{what}{name}_total {rest}\n"));
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total 3\n# HELP c_seconds Time.\n# TYPE c_seconds gauge\n\
                    # UNIT c_seconds seconds\nc_seconds 1.5\n# EOF\n";
        assert_eq!(
            plain(open),
            "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total 3\n# HELP c_seconds Time.\n\
             # TYPE c_seconds gauge\nc_seconds 1.5\n"
        );
    }
}
