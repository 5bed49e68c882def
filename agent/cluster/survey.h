/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a person should know of Edge before a roll, asked of the Management Server: target servers that do not
 * answer from here, and errors that lint finds in the deployed revisions. For the plan alone: whatever is
 * found, or cannot be, a roll goes on, and within the limit of the configuration.
 */

#include "agent/cluster/plan.h"
#include "agent/edge/estate.h"
#include "agent/edge/session.h"

/* survey_wanted() - is there a Management Server to be asked, and is it to be? */
bool survey_wanted(const CliRequest *rq, const Config *config);

/* survey_limit() - from now on the time for all that is asked in @s runs, and it is told what for. */
void survey_limit(Session *s, const char *what);

/* survey_limit_over() - what is asked later has its own limits again. */
void survey_limit_over(Session *s);

/* survey_take() - of the organisations that the configuration names, or of all; runs the loop of @s. What
 * goes wrong is in @ret. */
void survey_take(Session *s, PlanEdge *ret);

/* survey_estate() - the same of what has been read of Edge already. */
void survey_estate(Session *s, const Estate *estate, PlanEdge *ret);

/* survey_trouble() - what is not known; the first is kept: it is one line, whatever else there is. */
void survey_trouble(PlanEdge *ret, const char *hint, const char *fmt, ...) _printf_(3, 4);
