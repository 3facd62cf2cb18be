# Reference values that mhlib is held to. Run by hand (Rscript tests/oracle/make.R) and commit the CSVs; tests never need R.
# R 4.2.2, pROC 1.18, psych 2.2.9, lavaan 0.6, mlmRev 1.0-8, survey 4.1.
suppressPackageStartupMessages({library(pROC); library(psych); library(lavaan); library(survey)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)

# 1. aSAH (pROC, GPL-3): rows, areas with DeLong intervals, paired comparisons.
data(aSAH)
rows <- data.frame(case = as.integer(aSAH$outcome == "Poor"), s100b = aSAH$s100b, ndka = aSAH$ndka,
                   wfns = as.integer(as.character(aSAH$wfns)), age = aSAH$age)
out(rows, "asah_rows.csv")
curves <- lapply(names(rows)[-1], function(v) roc(rows$case, rows[[v]], direction = "<", quiet = TRUE))
names(curves) <- names(rows)[-1]
out(do.call(rbind, lapply(names(curves), function(v) { ci <- as.numeric(ci.auc(curves[[v]]))
  data.frame(score = v, auc = ci[2], low = ci[1], high = ci[3], variance = var(curves[[v]])) })), "asah_auc.csv")
pairs <- list(c("wfns", "s100b"), c("wfns", "ndka"), c("s100b", "ndka"))
out(do.call(rbind, lapply(pairs, function(p) { t <- roc.test(curves[[p[1]]], curves[[p[2]]], method = "delong")
  data.frame(first = p[1], second = p[2], z = unname(t$statistic), p = t$p.value) })), "asah_pairs.csv")

# 2. bfi (psychTools, GPL): covariances of five keyed scales over complete rows, alpha and omega of each.
bfi <- psychTools::bfi
for (v in c("A1", "C4", "C5", "E1", "E2", "O2", "O5")) bfi[[v]] <- 7 - bfi[[v]]
scales <- c("A", "C", "E", "N", "O"); covs <- list(); values <- list()
for (s in scales) {
  x <- na.omit(bfi[, paste0(s, 1:5)]); names(x) <- paste0("i", 1:5)
  covs[[s]] <- data.frame(scale = s, n = nrow(x), cov(x))
  fit <- cfa(paste("f =~", paste(names(x), collapse = " + ")), x, std.lv = TRUE)
  e <- lavInspect(fit, "est"); l <- sum(e$lambda); u <- sum(diag(e$theta))
  a <- psych::alpha(x, check.keys = FALSE, warnings = FALSE)
  values[[s]] <- data.frame(scale = s, n = nrow(x), alpha = a$total$raw_alpha, alpha_std = a$total$std.alpha,
                            omega = l^2 / (l^2 + u), omega_observed = l^2 / sum(lavInspect(fit, "sampstat")$cov), chi2 = fitMeasures(fit, "chisq"), cfi = fitMeasures(fit, "cfi"))
}
out(do.call(rbind, covs), "bfi_covariances.csv"); out(do.call(rbind, values), "bfi_reliability.csv")
x <- na.omit(bfi[, paste0("N", 1:5)]); a <- psych::alpha(x)
out(x, "bfi_n_rows.csv")
out(data.frame(item = rownames(a$item.stats), item_rest = a$item.stats$r.drop, alpha_if_deleted = a$alpha.drop$raw_alpha,
               mean = a$item.stats$mean, sd = a$item.stats$sd), "bfi_n_items.csv")

# 3. Exam (mlmRev, GPL): a proportion in 65 schools, and the clustered area by Obuchowski's formula written out.
e <- mlmRev::Exam
rows <- data.frame(school = as.integer(e$school), positive = as.integer(e$normexam < -1), score = -e$standLRT)
out(rows, "exam_rows.csv")
d <- svydesign(ids = ~school, weights = ~1, data = rows)
p <- svyciprop(~positive, d, method = "logit")
r <- roc(rows$positive, rows$score, direction = "<", quiet = TRUE)
pos <- rows$score[rows$positive == 1]; neg <- rows$score[rows$positive == 0]
v10 <- sapply(pos, function(s) mean((s > neg) + .5 * (s == neg))); v01 <- sapply(neg, function(s) mean((pos > s) + .5 * (pos == s)))
A <- mean(v10); k <- max(rows$school); f <- function(v, g) sapply(1:k, function(i) sum(v[g == i]) - A * sum(g == i))
a10 <- f(v10, rows$school[rows$positive == 1]); a01 <- f(v01, rows$school[rows$positive == 0])
i10 <- length(unique(rows$school[rows$positive == 1])); i01 <- length(unique(rows$school[rows$positive == 0]))
m <- length(pos); n <- length(neg)
v <- i10 / ((i10 - 1) * m) * sum(a10^2) / m + i01 / ((i01 - 1) * n) * sum(a01^2) / n + 2 * k / (k - 1) * sum(a10 * a01) / (m * n)
out(data.frame(proportion = as.numeric(p), se = SE(p), low = attr(p, "ci")[1], high = attr(p, "ci")[2],
               deff = as.numeric(deff(svymean(~positive, d, deff = "replace"))), auc = as.numeric(auc(r)),
               delong_low = ci.auc(r)[1], delong_high = ci.auc(r)[3], obuchowski_se = sqrt(v)), "exam.csv")
