//! `report`: what a period was like, for a terminal, a printer, a spreadsheet or a program.

mod html;
mod sheet;
mod tables;

use std::time::Duration;

use super::args::{Format, Report};
use super::exit::{Exit, Failure};
use super::table::{Look, Page};
use crate::rules::availability::Period;
use crate::store::{Db, Scene};
use crate::view::availability::OfCredential;
use crate::view::words;

/// How far back without `--since`.
const USUAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// The page.
///
/// # Errors
/// [`Exit::Usage`] where the period ends before it begins; the database's.
pub fn page(db: &mut Db, scene: &Scene<'_>, args: &Report, look: Look) -> Result<Page, Failure> {
    let period = period(scene, args)?;
    let report = db.read(|tx| tx.report(scene, period, args.common.provider))?;
    let mut page = Page::new(look);
    match args.format {
        _ if args.is_json() => page.document(&report)?,
        Format::Html => page.raw(&html::render(&report, scene, args.all)?),
        Format::Csv => page.raw(&sheet::render(&report)?),
        Format::Text | Format::Json => tables::render(&mut page, &report, scene, args.all),
    }
    Ok(page)
}

/// The period asked for; what lies ahead is no part of it.
fn period(scene: &Scene<'_>, args: &Report) -> Result<Period, Failure> {
    let zone = &scene.policy.schedules.zone;
    let until = args
        .until
        .map_or(scene.now, |until| until.moment(scene.now, zone));
    let until = until.min(scene.now);
    let usual = || until.checked_sub(USUAL).unwrap_or(until);
    let from = args.from.moment(scene).unwrap_or_else(usual);
    if from < until {
        return Ok(Period { from, until });
    }
    let (from, until) = (
        words::short_time(from, zone),
        words::short_time(until, zone),
    );
    Err(Failure::new(
        Exit::Usage,
        anyhow::anyhow!(
            "the report would end ({until}) before it begins ({from}); write a --since that lies before --until and now"
        ),
    ))
}

impl Report {
    pub(super) fn is_json(&self) -> bool {
        self.common.json || self.format == Format::Json
    }
}

/// Whether a credential is listed though not all are asked for: it was in trouble, or nobody saw it.
fn is_listed(of: &OfCredential) -> bool {
    of.availability.availability.is_none_or(|share| share < 1.0)
}
