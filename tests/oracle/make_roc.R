# Reference values of ROC curves and cut-offs. Run by hand (Rscript tests/oracle/make_roc.R) and commit the CSVs; tests never need R.
# R 4.2.2, pROC 1.18.0, cutpointr 1.1.2, OptimalCutpoints 1.1.5, HSAUR3 1.0.
suppressPackageStartupMessages({library(pROC)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
data(aSAH)
a <- data.frame(case = as.integer(aSAH$outcome == "Poor"), s100b = aSAH$s100b, ndka = aSAH$ndka,
                wfns = as.integer(as.character(aSAH$wfns)), age = aSAH$age)
curve <- function(case, x, ...) pROC::roc(case, x, direction = "<", levels = c(0, 1), quiet = TRUE, ...)

# 1. Partial areas of every marker over three ranges, as they are and standardised (NA below the chance line).
grid <- expand.grid(score = names(a)[-1], focus = c("specificity", "sensitivity"), low = c(.9, .5), high = c(1, .95), stringsAsFactors = FALSE)
out(do.call(rbind, lapply(seq_len(nrow(grid)), function(i) { g <- grid[i, ]; r <- curve(a$case, a[[g$score]])
  part <- function(correct) suppressWarnings(as.numeric(auc(r, partial.auc = c(g$high, g$low), partial.auc.focus = g$focus, partial.auc.correct = correct)))
  cbind(g, partial = part(FALSE), standardised = part(TRUE)) })), "asah_partial.csv")

# 2. Stratified percentile bootstrap, 20,000 resamples: area of every marker, and s100b's partial area.
set.seed(20261124)
boot <- lapply(names(a)[-1], function(v) { x <- as.numeric(ci.auc(curve(a$case, a[[v]]), method = "bootstrap", boot.n = 20000, progress = "none"))
  data.frame(score = v, what = "auc", low = x[1], high = x[3]) })
x <- as.numeric(ci.auc(curve(a$case, a$s100b, auc = TRUE, partial.auc = c(1, .9), partial.auc.correct = TRUE), method = "bootstrap", boot.n = 20000, progress = "none"))
out(rbind(do.call(rbind, boot), data.frame(score = "s100b", what = "partial_standardised", low = x[1], high = x[3])), "roc_bootstrap.csv")

# 3. Sample size of an area.
grid <- expand.grid(auc = c(.6, .7, .8, .9), power = c(.8, .9), kappa = c(1, 3, 10))
out(do.call(rbind, lapply(seq_len(nrow(grid)), function(i) { g <- grid[i, ]
  p <- power.roc.test(auc = g$auc, sig.level = .05, power = g$power, kappa = g$kappa)
  cbind(g, n_case = p$ncases, n_noncase = p$ncontrols) })), "roc_design.csv")

# 4. Counts by score of three screens that ship in packages (GPL): DSI-SS suicide (cutpointr), elastase (OptimalCutpoints), GHQ (HSAUR3).
suicide <- cutpointr::suicide; data(elas, package = "OptimalCutpoints"); ghq <- HSAUR3::GHQ
counts <- function(name, score, case, group) { t <- as.data.frame(table(score = score, group = group, case = case), stringsAsFactors = FALSE)
  w <- merge(t[t$case == 1, c("score", "group", "Freq")], t[t$case == 0, c("score", "group", "Freq")], by = c("score", "group"))
  w <- data.frame(data = name, group = w$group, score = as.numeric(w$score), n_case = w$Freq.x, n_noncase = w$Freq.y)
  w[order(w$group, w$score), ] }
long <- function(d) data.frame(score = rep(rep(d$GHQ, 2), c(d$cases, d$non.cases)), case = rep(1:0, c(sum(d$cases), sum(d$non.cases))), gender = rep(rep(as.character(d$gender), 2), c(d$cases, d$non.cases)))
g <- long(ghq); sex <- tolower(as.character(aSAH$gender))
out(rbind(counts("suicide", suicide$dsi, as.integer(suicide$suicide == "yes"), suicide$gender),
          counts("elas", elas$elas, elas$status, tolower(elas$gender)), counts("ghq", g$score, g$case, g$gender), counts("asah_s100b", a$s100b, a$case, sex)), "cutoff_counts.csv")

# 5. Their areas and the differences by sex, Welch's D.
sets <- list(suicide = data.frame(score = suicide$dsi, case = as.integer(suicide$suicide == "yes"), sex = suicide$gender),
             asah_s100b = data.frame(score = a$s100b, case = a$case, sex = sex),
             elas = data.frame(score = elas$elas, case = elas$status, sex = tolower(elas$gender)), ghq = data.frame(score = g$score, case = g$case, sex = g$gender))
areas <- lapply(names(sets), function(n) { d <- sets[[n]]; do.call(rbind, lapply(c("all", "female", "male"), function(s) {
  e <- if (s == "all") d else d[d$sex == s, ]; x <- as.numeric(ci.auc(curve(e$case, e$score)))
  data.frame(data = n, group = s, auc = x[2], low = x[1], high = x[3], d = NA, df = NA, p = NA) })) })
for (i in seq_along(sets)) { d <- sets[[i]]; e <- split(d, d$sex)
  t <- roc.test(curve(e$female$case, e$female$score), curve(e$male$case, e$male$score), paired = FALSE, method = "delong")
  areas[[i]][1, c("d", "df", "p")] <- c(t$statistic, t$parameter, t$p.value) }
out(do.call(rbind, areas), "cutoff_areas.csv")

# 6. Chosen cut-offs. cutpointr reads ">= cut"; OptimalCutpoints reads "positive when score >= cut"; pROC's lies between two scores.
suppressPackageStartupMessages({library(cutpointr); library(OptimalCutpoints)})
pick <- function(name, d, label) {
  cp <- if (label == "youden") cutpointr(d, score, case, direction = ">=", pos_class = 1, method = maximize_metric, metric = youden, silent = TRUE)
        else cutpointr(d, score, case, direction = ">=", pos_class = 1, method = minimize_metric, metric = misclassification_cost, cost_fn = 10, cost_fp = 1, silent = TRUE)
  data.frame(data = name, tool = "cutpointr", criterion = label, cutoff = cp$optimal_cutpoint, sensitivity = cp$sensitivity, specificity = cp$specificity) }
choose <- function(name, d, method, label, ...) { o <- optimal.cutpoints(X = "score", status = "case", tag.healthy = 0, methods = method, data = d, pop.prev = NULL,
  control = control.cutpoints(...)); b <- o[[method]]$Global$optimal.cutoff
  data.frame(data = name, tool = "OptimalCutpoints", criterion = label, cutoff = b$cutoff, sensitivity = b$Se[, 1], specificity = b$Sp[, 1]) }
rows <- list()
for (n in setdiff(names(sets), "asah_s100b")) { d <- sets[[n]]; rows <- c(rows, list(pick(n, d, "youden"), pick(n, d, "cost"),
  choose(n, d, "Youden", "youden"), choose(n, d, "MinValueSe", "sensitivity", valueSe = .9), choose(n, d, "MinValueSp", "specificity", valueSp = .9))) }
for (s in c("female", "male")) { d <- sets$suicide; rows <- c(rows, list(pick(paste0("suicide_", s), d[d$sex == s, ], "youden"))) }
for (v in names(a)[-1]) { r <- curve(a$case, a[[v]]); y <- coords(r, "best", best.method = "youden"); w <- coords(r, "best", best.method = "youden", best.weights = c(5, .2))
  rows <- c(rows, list(data.frame(data = paste0("asah_", v), tool = "pROC", criterion = "youden", cutoff = y$threshold, sensitivity = y$sensitivity, specificity = y$specificity),
                       data.frame(data = paste0("asah_", v), tool = "pROC", criterion = "cost", cutoff = w$threshold, sensitivity = w$sensitivity, specificity = w$specificity))) }
out(do.call(rbind, rows), "cutoff_choices.csv")
