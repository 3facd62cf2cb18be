# Item bias and response quality: reference values. Run by hand (Rscript tests/oracle/make_dif.R); tests never need R.
# R 4.2.2: lme4::VerbAgg (difR's verbal data: yes or perhaps = 1, focal = men), psychTools::bfi, datasets::UCBAdmissions,
# stats::mantelhaen.test and glm, MASS::polr, VGAM::vglm, sandwich::vcovCL.
suppressPackageStartupMessages({library(lme4); library(MASS); library(VGAM); library(sandwich)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)

# 1. Verbal aggression, 316 x 24, wide: two answers (b) and three (t).
items <- paste0("i", 1:24); v <- VerbAgg; v$k <- match(v$item, levels(v$item))
v <- v[order(v$k, as.integer(as.character(v$id))), ]
binary <- matrix(as.integer(v$r2 == "Y"), 316, 24); three <- matrix(as.integer(v$resp) - 1L, 316, 24)
male <- as.integer(v$Gender[1:316] == "M")
wide <- data.frame(male, three); names(wide) <- c("male", items); out(wide, "dif_verbal_rows.csv")

# 2. Two answers: Mantel-Haenszel, logistic ladder (LR tests, Nagelkerke).
r2n <- function(m) { n <- 316; l0 <- -m$null.deviance / 2; l1 <- -m$deviance / 2; (1 - exp(2 * (l0 - l1) / n)) / (1 - exp(2 * l0 / n)) }
total <- rowSums(binary)
out(do.call(rbind, lapply(1:24, function(i) {
  y <- binary[, i]; keep <- total %in% as.integer(names(which(table(total) > 1)))
  x <- table(1 - male[keep], 1 - y[keep], total[keep]); x <- x[, , apply(x, 3, sum) > 1]
  mh <- mantelhaen.test(x, correct = TRUE); plain <- mantelhaen.test(x, correct = FALSE)
  m <- list(glm(y ~ total, binomial), glm(y ~ total + male, binomial), glm(y ~ total * male, binomial))
  d <- sapply(m, deviance)
  data.frame(item = i, chi2 = mh$statistic, chi2_plain = plain$statistic, ratio = mh$estimate, low = mh$conf.int[1], high = mh$conf.int[2],
             lr_uniform = d[1] - d[2], lr_nonuniform = d[2] - d[3], lr_both = d[1] - d[3],
             r2_both = r2n(m[[3]]) - r2n(m[[1]]), beta = coef(m[[2]])["male"], se = sqrt(vcov(m[[2]])["male", "male"])) })), "dif_verbal_two.csv")

# 3. Three answers: Mantel (mantelhaen.test is the CMH of nominal answers, so Mantel's 1963 sum is written out), polr ladder by VGAM.
score <- rowSums(three)
out(do.call(rbind, lapply(1:24, function(i) { y <- three[, i]; gap <- 0; va <- 0
  for (s in unique(score)) { k <- score == s; t <- sum(k); nf <- sum(male[k]); if (t > 1) {
    gap <- gap + sum(y[k & male == 1]) - nf * mean(y[k]); va <- va + nf * (t - nf) / (t^2 * (t - 1)) * (t * sum(y[k]^2) - sum(y[k])^2) } }
  z <- (score - mean(score)) / sd(score); f <- ordered(y)
  m <- lapply(list(f ~ z, f ~ z + male, f ~ z * male), vglm, family = propodds(reverse = TRUE), epsilon = 1e-12, maxit = 60)
  l <- sapply(m, logLik)
  p <- polr(f ~ z + male, Hess = TRUE)
  data.frame(item = i, mantel = gap^2 / va, lr_uniform = 2 * (l[2] - l[1]), lr_nonuniform = 2 * (l[3] - l[2]), lr_both = 2 * (l[3] - l[1]),
             beta = coef(m[[2]])["male"], polr_se = sqrt(vcov(p)["male", "male"])) })), "dif_verbal_three.csv")

# 4. bfi N by gender, ladder with the sum score (lordif's LR12 and McFadden's gain): counts by item, sum, gender and answer.
b <- psychTools::bfi; b <- b[complete.cases(b[, c(paste0("N", 1:5), "gender")]), ]
sum5 <- rowSums(b[, paste0("N", 1:5)])
counts <- do.call(rbind, lapply(1:5, function(i) as.data.frame(table(sum = sum5, gender = b$gender, answer = b[[paste0("N", i)]])) |> transform(item = i)))
out(counts[counts$Freq > 0, c("item", "sum", "gender", "answer", "Freq")], "dif_bfi_n_counts.csv")
out(do.call(rbind, lapply(1:5, function(i) { f <- ordered(b[[paste0("N", i)]]); z <- sum5; g <- b$gender - 1
  m <- lapply(list(f ~ 1, f ~ z, f ~ z + g, f ~ z * g), vglm, family = propodds(reverse = TRUE), epsilon = 1e-12, maxit = 60)
  l <- sapply(m, logLik)
  data.frame(item = i, lr12 = 2 * (l[3] - l[2]), lr23 = 2 * (l[4] - l[3]), lr13 = 2 * (l[4] - l[2]), mcfadden12 = (l[2] - l[3]) / l[1], beta = coef(m[[3]])["g"]) })), "dif_bfi_n.csv")

# 5. Cluster-robust: Exam pupils passing (normexam > 0) by sex at equal tenth of the reading test, schools as clusters.
e <- mlmRev::Exam; e$y <- as.integer(e$normexam > 0); e$level <- as.integer(cut(e$standLRT, c(-Inf, quantile(e$standLRT, 1:9 / 10), Inf)))
e$girl <- as.integer(e$sex == "F"); e$school <- as.integer(e$school)
out(as.data.frame(table(school = e$school, level = e$level, girl = e$girl, y = e$y)) |> subset(Freq > 0), "dif_exam_counts.csv")
m1 <- glm(y ~ level + girl, binomial, e, epsilon = 1e-13); m2 <- glm(y ~ level * girl, binomial, e, epsilon = 1e-13)
V1 <- vcovCL(m1, cluster = e$school, type = "HC0"); V2 <- vcovCL(m2, cluster = e$school, type = "HC0")
k <- c("girl", "level:girl"); gap <- 0; u <- rep(0, nrow(e))
for (s in 1:10) { w <- e$level == s; u[w] <- (e$girl[w] - mean(e$girl[w])) * (e$y[w] - mean(e$y[w])) }
uc <- tapply(u, e$school, sum); mh <- mantelhaen.test(table(1 - e$girl, 1 - e$y, e$level), correct = FALSE)
out(data.frame(ratio = mh$estimate, low = mh$conf.int[1], high = mh$conf.int[2], chi2_plain = mh$statistic, chi2_robust = sum(u)^2 / (65 / 64 * sum((uc - mean(uc))^2)),
  beta = coef(m1)["girl"], robust_se = sqrt(V1["girl", "girl"]), wald2 = drop(t(coef(m2)[k]) %*% solve(V2[k, k]) %*% coef(m2)[k])), "dif_exam.csv")

# 6. bfi25 response quality: Mahalanobis, long strings, spread within a person.
x <- na.omit(psychTools::bfi[, 1:25]); d <- mahalanobis(x, colMeans(x), cov(x))
long <- apply(x, 1, function(r) max(rle(as.integer(r))$lengths)); irv <- apply(x, 1, sd)
out(data.frame(n = nrow(x), top = max(d), beyond = sum(pchisq(d, 25, lower.tail = FALSE) < .001), mean_irv = mean(irv), zero_irv = sum(irv == 0),
  long10 = sum(long == 10), long25 = sum(long == 25)), "response_bfi25.csv")
out(x, "response_bfi25_rows.csv")

# 7. Missing answers of bfi (N and O items) by gender: shares, patterns, chisq.test without correction; Little's test with
# means and covariances of lavaan's saturated FIML model.
x <- psychTools::bfi[, c(paste0("N", 1:5), paste0("O", 1:5))]; g <- psychTools::bfi$gender
x <- x[rowSums(!is.na(x)) > 0, ]; m <- is.na(x)
fit <- lavaan::sem(paste(c(outer(names(x), names(x), paste, sep = " ~~ ")[upper.tri(diag(10), TRUE)]), collapse = "\n"), x, missing = "ml", meanstructure = TRUE, control = list(rel.tol = 1e-14))
e <- lavaan::lavInspect(fit, "implied"); key <- apply(m, 1, paste, collapse = ""); chi <- 0; df <- -10
for (p in unique(key)) { k <- key == p; s <- !m[which(k)[1], ]; gap <- colMeans(x[k, s, drop = FALSE]) - e$mean[s]
  chi <- chi + sum(k) * drop(t(gap) %*% solve(e$cov[s, s]) %*% gap); df <- df + sum(s) }
out(data.frame(n = nrow(x), complete = mean(!m[, 1] & rowSums(m) == 0), patterns = length(unique(key)), missing_n1 = sum(m[, 1]), missing_o1 = sum(m[, 6]),
  p_gender_n1 = chisq.test(table(m[, 1], g[as.integer(factor(rownames(x), rownames(psychTools::bfi)))]), correct = FALSE)$p.value, little = chi, little_df = df), "missing_bfi.csv")
out(data.frame(gender = g[match(rownames(x), rownames(psychTools::bfi))], x), "missing_bfi_rows.csv")
