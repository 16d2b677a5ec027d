/** A style sheet, minified by the build, as text for a constructable sheet. */
declare module "*.css" {
  const text: string;
  export default text;
}
